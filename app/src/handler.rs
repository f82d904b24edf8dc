//! Functions as handlers: what a function has to look like so that a route can call it.

use std::pin::Pin;
use std::sync::Arc;

use crate::blocking::Blocking;
use crate::{FromRequest, FromRequestParts, IntoResponse, Request, Response};

/// An async function that answers requests.
///
/// Every `async fn` is one whose arguments are extractors and whose result is a response, within
/// these rules:
///
/// - at most twelve arguments, each [`FromRequestParts`], but the last one may be [`FromRequest`]:
///   only one can take the body;
/// - the result is [`IntoResponse`];
/// - the future is `Send`: what is not `Send`, say an `Rc`, must not live across an `await`;
/// - a closure is `Clone` and `'static`, so it owns what it captures.
///
/// Arguments are made from left to right. The first that cannot be made answers the request
/// instead of the handler.
///
/// A plain `fn` becomes a handler by [`blocking`](crate::blocking()).
///
/// `T` tells the implementations for different arguments apart; it means nothing else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not a handler",
    note = "a handler is an `async fn` of at most 12 arguments that returns something that is `IntoResponse`",
    note = "every argument is an extractor: `FromRequestParts`, and the last one may be `FromRequest` (`Json`, `Bytes`, `Body`, ...)",
    note = "`State<T>` needs `T` to be the state of the router, or `T: FromRef` of it",
    note = "a plain `fn` is wrapped: `blocking(f)`, or `blocking::get(f)` for `get(f)`"
)]
pub trait Handler<T, S>: Clone + Send + Sync + Sized + 'static {
    /// Answers one request.
    fn call(self, request: Request, state: S) -> impl Future<Output = Response> + Send + 'static;
}

/// The future of a handler behind a pointer.
pub(crate) type BoxResponse = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A handler behind a pointer: one that waits for its state, or one that has it.
pub(crate) enum Endpoint<S> {
    Unbound(Arc<dyn Fn(Request, S) -> BoxResponse + Send + Sync>),
    Bound(Arc<dyn Fn(Request) -> BoxResponse + Send + Sync>),
}

impl<S: Clone + Send + Sync + 'static> Endpoint<S> {
    pub(crate) fn new<H: Handler<T, S>, T>(handler: H) -> Self {
        Self::Unbound(Arc::new(move |request, state| Box::pin(handler.clone().call(request, state))))
    }

    pub(crate) fn bind<S2>(self, state: S) -> Endpoint<S2> {
        Endpoint::Bound(match self {
            Self::Unbound(call) => Arc::new(move |request| call(request, state.clone())),
            Self::Bound(call) => call,
        })
    }

    pub(crate) fn call(&self, request: Request, state: S) -> BoxResponse {
        match self {
            Self::Unbound(call) => call(request, state),
            Self::Bound(call) => call(request),
        }
    }
}

impl<S> Clone for Endpoint<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Unbound(call) => Self::Unbound(call.clone()),
            Self::Bound(call) => Self::Bound(call.clone()),
        }
    }
}

impl<F, Fut, Res, S> Handler<(), S> for F
where
    F: FnOnce() -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Res> + Send + 'static,
    Res: IntoResponse + 'static,
    S: Send + 'static,
{
    async fn call(self, request: Request, _: S) -> Response {
        // Nobody will read the body: the driver may know at once.
        drop(request);
        self().await.into_response()
    }
}

impl<F, Res, S> Handler<(), S> for Blocking<F>
where
    F: FnOnce() -> Res + Clone + Send + Sync + 'static,
    Res: IntoResponse + 'static,
    S: Send + 'static,
{
    async fn call(self, request: Request, _: S) -> Response {
        let handle = request.handle().clone();
        drop(request);
        self.run(handle, |f| f()).await
    }
}

/// Makes the arguments of a handler, or returns the response of the one that cannot be made.
macro_rules! extract {
    ($request:ident, $state:ident, [$($part:ident)*] $last:ident) => {
        #[allow(unused_mut, reason = "a single argument takes the whole request")]
        let (mut parts, body) = $request.into_parts();
        $(
            let $part = match $part::from_request_parts(&mut parts, &$state).await {
                Ok(value) => value,
                Err(rejection) => return rejection.into_response(),
            };
        )*
        let $last = match $last::from_request(Request::from_parts(parts, body), &$state).await {
            Ok(value) => value,
            Err(rejection) => return rejection.into_response(),
        };
    };
}

macro_rules! handlers {
    ($([$($part:ident),*] $last:ident;)*) => {$(
        #[expect(non_snake_case, reason = "each argument is named like its type")]
        impl<F, Fut, Res, S, M, $($part,)* $last> Handler<(M, $($part,)* $last,), S> for F
        where
            F: FnOnce($($part,)* $last) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Res> + Send + 'static,
            Res: IntoResponse + 'static,
            S: Send + Sync + 'static,
            $($part: FromRequestParts<S> + Send + 'static,)*
            $last: FromRequest<S, M> + Send + 'static,
            M: 'static,
        {
            async fn call(self, request: Request, state: S) -> Response {
                extract!(request, state, [$($part)*] $last);
                self($($part,)* $last).await.into_response()
            }
        }

        #[expect(non_snake_case, reason = "each argument is named like its type")]
        impl<F, Res, S, M, $($part,)* $last> Handler<(M, $($part,)* $last,), S> for Blocking<F>
        where
            F: FnOnce($($part,)* $last) -> Res + Clone + Send + Sync + 'static,
            Res: IntoResponse + 'static,
            S: Send + Sync + 'static,
            $($part: FromRequestParts<S> + Send + 'static,)*
            $last: FromRequest<S, M> + Send + 'static,
            M: 'static,
        {
            async fn call(self, request: Request, state: S) -> Response {
                let handle = request.handle().clone();
                extract!(request, state, [$($part)*] $last);
                self.run(handle, move |f| f($($part,)* $last)).await
            }
        }
    )*};
}

handlers! {
    [] T1;
    [T1] T2;
    [T1, T2] T3;
    [T1, T2, T3] T4;
    [T1, T2, T3, T4] T5;
    [T1, T2, T3, T4, T5] T6;
    [T1, T2, T3, T4, T5, T6] T7;
    [T1, T2, T3, T4, T5, T6, T7] T8;
    [T1, T2, T3, T4, T5, T6, T7, T8] T9;
    [T1, T2, T3, T4, T5, T6, T7, T8, T9] T10;
    [T1, T2, T3, T4, T5, T6, T7, T8, T9, T10] T11;
    [T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11] T12;
}
