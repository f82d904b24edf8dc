//! Status and fields beside the content. The rules are told at [`IntoResponse`].

use super::{IntoResponse, failed};
use crate::{FieldError, Headers, Response, StatusCode};

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        with_status(self.0, self.1.into_response())
    }
}

impl<V: AsRef<[u8]>, T: IntoResponse, const N: usize> IntoResponse for ([(&str, V); N], T) {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        if response.has_failed() {
            return response;
        }
        match replace(response.headers_mut(), &self.0) {
            Ok(()) => response,
            Err(_) => failed(),
        }
    }
}

impl<V: AsRef<[u8]>, T: IntoResponse, const N: usize> IntoResponse for (StatusCode, [(&str, V); N], T) {
    fn into_response(self) -> Response {
        with_status(self.0, (self.1, self.2).into_response())
    }
}

impl<T: IntoResponse> IntoResponse for (Headers, T) {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        if response.has_failed() {
            return response;
        }
        match set(response.headers_mut(), self.0) {
            Ok(()) => response,
            Err(_) => failed(),
        }
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, Headers, T) {
    fn into_response(self) -> Response {
        with_status(self.0, (self.1, self.2).into_response())
    }
}

fn with_status(status: StatusCode, mut response: Response) -> Response {
    if !response.has_failed() {
        response.set_status(status);
    }
    response
}

/// Replaces in `headers` every name that `given` has.
fn replace<V: AsRef<[u8]>>(headers: &mut Headers, given: &[(&str, V)]) -> Result<(), FieldError> {
    // One field cannot replace another one of the tuple.
    if let [(name, value)] = given {
        return headers.insert(name, value);
    }
    for (name, _) in given {
        headers.remove(name);
    }
    given.iter().try_for_each(|(name, value)| headers.append(name, value))
}

/// Replaces in `headers` every name that `given` has.
fn set(headers: &mut Headers, given: Headers) -> Result<(), FieldError> {
    for field in given.iter() {
        headers.remove(field.name);
    }
    if headers.is_empty() {
        *headers = given;
        return Ok(());
    }
    given.iter().try_for_each(|field| headers.append(field.name, field.value))
}
