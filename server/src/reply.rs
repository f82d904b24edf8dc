//! Responses that are a sentence, and what all responses have in common.

use std::io;

use sinew_app::{Body, Response, StatusCode};

/// The methods that are answered.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// A response of that type. A browser takes the type as it is said.
pub(crate) fn typed(status: StatusCode, content_type: &str, body: impl Into<Body>) -> Response {
    let response = with(Response::new(status, body), "content-type", content_type);
    with(response, "x-content-type-options", "nosniff")
}

/// A response of one sentence.
pub(crate) fn sentence(status: StatusCode, text: &str) -> Response {
    typed(status, "text/plain; charset=utf-8", format!("{} {}: {text}\n", status.as_u16(), status.reason()))
}

/// One field more. Values are made here or checked before, so they can always stand in a field; if
/// one cannot after all, better no answer than a wrong one.
pub(crate) fn with(mut response: Response, name: &str, value: impl AsRef<[u8]>) -> Response {
    match response.headers_mut().append(name, value) {
        Ok(()) => response,
        Err(_) => Response::new(StatusCode::INTERNAL_SERVER_ERROR, ()),
    }
}

/// The answer to OPTIONS.
pub(crate) fn options() -> Response {
    with(Response::new(StatusCode::NO_CONTENT, ()), "allow", ALLOW)
}

/// The answer to a method that changes things.
pub(crate) fn method_not_allowed() -> Response {
    let response = sentence(StatusCode::METHOD_NOT_ALLOWED, "files are here to be read");
    with(response, "allow", ALLOW)
}

/// No thread or descriptor is free.
pub(crate) fn busy() -> Response {
    with(sentence(StatusCode::SERVICE_UNAVAILABLE, "the server is busy, try again"), "retry-after", "1")
}

/// There is no such file.
pub(crate) fn not_found() -> Response {
    sentence(StatusCode::NOT_FOUND, "there is no such file here")
}

/// It may not be read, or leads out of the root.
pub(crate) fn forbidden() -> Response {
    sentence(StatusCode::FORBIDDEN, "this may not be read from here")
}

/// What went wrong in the file system. `None` is the server's own trouble.
pub(crate) fn refusal(error: &io::Error) -> Option<Response> {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput => {
            Some(not_found())
        }
        io::ErrorKind::PermissionDenied => Some(forbidden()),
        _ => by_number(error),
    }
}

#[cfg(unix)]
fn by_number(error: &io::Error) -> Option<Response> {
    use rustix::io::Errno;

    match Errno::from_io_error(error)? {
        // A name that no file can have, links that lead in a circle.
        Errno::NAMETOOLONG | Errno::LOOP | Errno::ILSEQ => Some(not_found()),
        // A socket, or a device without a driver.
        Errno::NXIO | Errno::NODEV => Some(forbidden()),
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => Some(busy()),
        _ => None,
    }
}

#[cfg(not(unix))]
fn by_number(error: &io::Error) -> Option<Response> {
    // ERROR_INVALID_NAME, ERROR_BAD_PATHNAME, ERROR_FILENAME_EXCED_RANGE
    matches!(error.raw_os_error(), Some(123 | 161 | 206)).then(not_found)
}
