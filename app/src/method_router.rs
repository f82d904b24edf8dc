//! Which handler of a route answers which method.

use crate::handler::{Endpoint, Handler};
use crate::methods::Methods;
use crate::{Method, RouteProblem};

/// The handlers of a route, by method: made by [`get`], [`post`] and the like, then extended.
///
/// ```
/// use sinew_app::{get, Path, Router};
/// async fn show(Path(id): Path<u32>) -> String {
///     format!("note {id}")
/// }
/// async fn remove(Path(id): Path<u32>) {}
/// let app: Router = Router::new().route("/notes/{id}", get(show).delete(remove));
/// ```
///
/// - HEAD is answered by the handler of GET, unless it has its own. The handler sees
///   [`Method::Head`] and answers as for GET; the body is not sent, its length is told.
/// - A method without a handler is answered by [`any`](Self::any), or else by `405 Method Not
///   Allowed` with the methods there are in `Allow`.
/// - A method that is given twice is refused by [`Router::try_route`](crate::Router::try_route).
///
/// CONNECT is not here: its target is no path, so that it never matches a route.
pub struct MethodRouter<S = ()> {
    pub(crate) methods: Methods<Endpoint<S>>,
    /// The first method that was given twice. Told by the router, which knows the route.
    pub(crate) twice: Option<RouteProblem>,
}

impl<S: Clone + Send + Sync + 'static> MethodRouter<S> {
    /// Answers `method`, too.
    pub fn on<H: Handler<T, S>, T>(mut self, method: Method, handler: H) -> Self {
        if self.methods.insert(method.clone(), Endpoint::new(handler)).is_err() {
            self.twice.get_or_insert(RouteProblem::MethodTwice(method));
        }
        self
    }

    /// Answers every method that has no handler of its own, too.
    pub fn any<H: Handler<T, S>, T>(mut self, handler: H) -> Self {
        if self.methods.insert_any(Endpoint::new(handler)).is_err() {
            self.twice.get_or_insert(RouteProblem::AnyTwice);
        }
        self
    }

    fn new() -> Self {
        Self { methods: Methods::default(), twice: None }
    }
}

impl<S> Clone for MethodRouter<S> {
    fn clone(&self) -> Self {
        Self { methods: self.methods.clone(), twice: self.twice.clone() }
    }
}

impl<S> std::fmt::Debug for MethodRouter<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MethodRouter").field("allow", &self.methods.allow()).finish_non_exhaustive()
    }
}

/// Answers `method`.
pub fn on<H, T, S>(method: Method, handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    S: Clone + Send + Sync + 'static,
{
    MethodRouter::new().on(method, handler)
}

/// Answers every method.
pub fn any<H, T, S>(handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    S: Clone + Send + Sync + 'static,
{
    MethodRouter::new().any(handler)
}

macro_rules! functions {
    ($($name:ident $method:ident $text:literal)*) => {
        impl<S: Clone + Send + Sync + 'static> MethodRouter<S> {
            $(
                #[doc = concat!("Answers ", $text, ", too.")]
                pub fn $name<H: Handler<T, S>, T>(self, handler: H) -> Self {
                    self.on(Method::$method, handler)
                }
            )*
        }

        $(
            #[doc = concat!("Answers ", $text, ".")]
            pub fn $name<H, T, S>(handler: H) -> MethodRouter<S>
            where
                H: Handler<T, S>,
                S: Clone + Send + Sync + 'static,
            {
                on(Method::$method, handler)
            }
        )*
    };
}

functions! {
    get Get "GET, and HEAD unless that has a handler of its own"
    head Head "HEAD"
    post Post "POST"
    put Put "PUT"
    delete Delete "DELETE"
    patch Patch "PATCH"
    options Options "OPTIONS"
    trace Trace "TRACE"
}
