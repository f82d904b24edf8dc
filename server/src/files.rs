//! Requests to files (RFC 9110): which file, which part of it, and whether the client has it
//! already.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sinew_app::{Body, Method, Request, Response, RunError, StatusCode};

use crate::conditional::{Validators, Verdict};
use crate::log::Log;
use crate::path::{PathError, SitePath};
use crate::range::{self, Wanted};
use crate::root::{Root, special};
use crate::{content, listing, reply};

/// A directory to serve.
#[derive(Debug)]
pub(crate) struct Files {
    root: Root,
    log: Log,
}

/// What a path leads to.
enum Found {
    File(std::fs::File, cap_std::fs::Metadata, PathBuf),
    /// A directory that has no index page.
    Directory(PathBuf),
    /// A directory, asked for without the slash that relative links in it need.
    WithoutSlash,
}

impl Files {
    /// Serves `root`.
    pub(crate) fn new(root: Root, log: Log) -> Arc<Self> {
        Arc::new(Self { root, log })
    }

    /// Answers one request. All work with files is one job where it may block; a large file then
    /// goes its own way.
    pub(crate) async fn respond(self: Arc<Self>, request: Request) -> Response {
        match request.method() {
            Method::Get | Method::Head => {}
            Method::Options => return reply::options(),
            _ => return reply::method_not_allowed(),
        }
        let handle = request.handle().clone();
        match handle.run(move || self.respond_blocking(&request)).await {
            Ok(response) => response,
            Err(RunError::Busy) => reply::busy(),
            Err(RunError::Panicked) => internal_error(),
        }
    }

    fn respond_blocking(&self, request: &Request) -> Response {
        let path = match SitePath::parse(request.path()) {
            Ok(path) => path,
            Err(error) => return path_error(error),
        };
        let relative = match path.relative() {
            Ok(relative) => relative,
            Err(error) => return path_error(error),
        };
        let answered = self.find(&path, relative).and_then(|found| match found {
            Found::File(file, metadata, relative) => self.send(request, file, &metadata, &relative),
            Found::Directory(relative) => listing::respond(&self.root, &path, &relative),
            Found::WithoutSlash => Ok(redirect(&path, request.query())),
        });
        answered.unwrap_or_else(|error| {
            reply::refusal(&error).unwrap_or_else(|| {
                self.log.problem(&format!("{}: {error}", request.path()));
                internal_error()
            })
        })
    }

    fn find(&self, path: &SitePath, relative: PathBuf) -> io::Result<Found> {
        // Looked at before it is opened: opening a FIFO or a device can have effects of its own.
        let metadata = self.root.metadata(&relative)?;
        if metadata.is_file() {
            if path.is_dir {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            let (file, metadata) = self.root.open_file(&relative)?;
            return Ok(Found::File(file, metadata, relative));
        }
        if !metadata.is_dir() {
            return Err(special());
        }
        if !path.is_dir {
            return Ok(Found::WithoutSlash);
        }
        let index = relative.join("index.html");
        match self.root.metadata(&index) {
            Ok(metadata) if metadata.is_file() => {
                let (file, metadata) = self.root.open_file(&index)?;
                Ok(Found::File(file, metadata, index))
            }
            Ok(metadata) if !metadata.is_dir() => Err(special()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Found::Directory(relative)),
        }
    }

    fn send(
        &self,
        request: &Request,
        file: std::fs::File,
        metadata: &cap_std::fs::Metadata,
        relative: &Path,
    ) -> io::Result<Response> {
        let len = metadata.len();
        let modified = metadata.modified().ok();
        let validators = modified.map(|time| Validators::new(len, time.into_std(), SystemTime::now()));
        let fields = request.fields();
        let decorate = |response: Response| {
            let Some(Validators { etag, last_modified, .. }) = &validators else { return response };
            let response = reply::with(response, "etag", etag);
            let response = reply::with(response, "last-modified", last_modified.http());
            // To be kept, but asked about each time: a changed file is seen at once.
            reply::with(response, "cache-control", "no-cache")
        };
        match validators.as_ref().map_or(Verdict::Send, |validators| validators.judge(&fields)) {
            Verdict::Send => {}
            Verdict::NotModified => return Ok(decorate(Response::new(StatusCode::NOT_MODIFIED, ()))),
            Verdict::Failed => {
                return Ok(reply::sentence(
                    StatusCode::PRECONDITION_FAILED,
                    "the file is another one by now",
                ));
            }
        }
        let is_get = *request.method() == Method::Get;
        let may_be_part = is_get
            && fields.get_all("range").count() == 1
            && validators
                .as_ref()
                .map_or(!fields.contains("if-range"), |validators| validators.allow_part(&fields));
        let wanted = match fields.get_str("range") {
            Some(value) if may_be_part => range::parse(value, len),
            _ => Wanted::Whole,
        };
        let (status, range) = match wanted {
            Wanted::Whole => (StatusCode::OK, 0..len),
            Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
            Wanted::Unsatisfiable => {
                let response =
                    reply::sentence(StatusCode::RANGE_NOT_SATISFIABLE, "the file ends before that");
                return Ok(reply::with(response, "content-range", format!("bytes */{len}")));
            }
        };
        let body = if is_get {
            content::body(file, &range, &self.log, request.path())?
        } else {
            // Never asked for a byte: it is here to tell the length.
            Body::from_file(file, range.clone())
        };
        let response = decorate(reply::typed(status, &content_type(relative), body));
        let response = reply::with(response, "accept-ranges", "bytes");
        Ok(if status == StatusCode::PARTIAL_CONTENT {
            let content_range = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            reply::with(response, "content-range", content_range)
        } else {
            response
        })
    }
}

/// 308 keeps the method, and the query goes along.
fn redirect(path: &SitePath, query: Option<&str>) -> Response {
    let response = reply::sentence(StatusCode::PERMANENT_REDIRECT, "this is a directory");
    reply::with(response, "location", path.dir_location(query))
}

fn path_error(error: PathError) -> Response {
    match error {
        PathError::Malformed => reply::sentence(StatusCode::BAD_REQUEST, "the path is not valid"),
        PathError::Escapes => reply::forbidden(),
        PathError::Impossible => reply::not_found(),
    }
}

fn internal_error() -> Response {
    reply::sentence(StatusCode::INTERNAL_SERVER_ERROR, "the file could not be read")
}

/// The media type by the extension of the name. Text is taken for UTF-8, as nearly all of it is.
fn content_type(path: &Path) -> String {
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    if mime.type_() == mime_guess::mime::TEXT { format!("{mime}; charset=utf-8") } else { mime.to_string() }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
