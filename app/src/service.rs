//! What turns a request into a response.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::{Request, Response};

/// A function from a request to a response, as the driver calls it.
///
/// A [`Router`](crate::Router) is one, and so is any `Fn(Request) -> impl Future<Output = Response>`
/// wrapped by [`service_fn`].
pub trait Service: Send + Sync + 'static {
    /// Answers one request. There is no error: what goes wrong is a response too.
    fn call(&self, request: Request) -> ResponseFuture;
}

impl<S: Service + ?Sized> Service for Arc<S> {
    fn call(&self, request: Request) -> ResponseFuture {
        S::call(self, request)
    }
}

/// A response to come, or one that is there at once and costs no allocation.
///
/// ```
/// use sinew_app::{Request, Response, ResponseFuture, Service, StatusCode};
///
/// struct Teapot;
///
/// impl Service for Teapot {
///     fn call(&self, request: Request) -> ResponseFuture {
///         match request.path() {
///             "/pot" => ResponseFuture::new(async { Response::new(StatusCode::OK, "tea") }),
///             _ => Response::new(StatusCode::NOT_FOUND, "").into(),
///         }
///     }
/// }
/// ```
#[must_use = "a response is sent only if its future is returned"]
pub struct ResponseFuture(State);

enum State {
    Ready(Option<Response>),
    Waiting(Pin<Box<dyn Future<Output = Response> + Send>>),
}

impl ResponseFuture {
    /// A response to come.
    pub fn new(future: impl Future<Output = Response> + Send + 'static) -> Self {
        Self(State::Waiting(Box::pin(future)))
    }
}

impl From<Response> for ResponseFuture {
    fn from(response: Response) -> Self {
        Self(State::Ready(Some(response)))
    }
}

impl From<Pin<Box<dyn Future<Output = Response> + Send>>> for ResponseFuture {
    fn from(future: Pin<Box<dyn Future<Output = Response> + Send>>) -> Self {
        Self(State::Waiting(future))
    }
}

impl Future for ResponseFuture {
    type Output = Response;

    /// Pending for ever once it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        match &mut self.0 {
            State::Ready(response) => response.take().map_or(Poll::Pending, Poll::Ready),
            State::Waiting(future) => future.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ready = matches!(self.0, State::Ready(_));
        f.debug_struct("ResponseFuture").field("ready", &ready).finish()
    }
}

/// A [`Service`] from a function.
///
/// ```
/// use sinew_app::{service_fn, IntoResponse, Request, Service};
/// let hello = service_fn(|_: Request| async { "hello".into_response() });
/// # fn is_service(_: impl Service) {}
/// # is_service(hello);
/// ```
pub fn service_fn<F>(f: F) -> ServiceFn<F> {
    ServiceFn(f)
}

/// See [`service_fn`].
#[derive(Clone, Copy, Debug)]
pub struct ServiceFn<F>(F);

impl<F, Fut> Service for ServiceFn<F>
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    fn call(&self, request: Request) -> ResponseFuture {
        ResponseFuture::new((self.0)(request))
    }
}
