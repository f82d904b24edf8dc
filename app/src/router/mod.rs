//! From a path and a method to a handler.

mod error;
mod pattern;
mod tree;

use std::fmt;

pub use error::{RouteError, RouteProblem};

use self::pattern::{Pattern, Placeholders};
use self::tree::Tree;
use crate::handler::Endpoint;
use crate::into_response::plain;
use crate::methods::Methods;
use crate::{Handler, MethodRouter, Request, Response, ResponseFuture, Service, StatusCode};

/// Finds the handler of a request.
///
/// ```
/// use sinew_app::{get, Path, Router};
/// async fn user(Path(id): Path<u64>) -> String {
///     format!("user {id}")
/// }
/// async fn file(Path(path): Path<String>) -> String {
///     format!("file {path}")
/// }
/// let app: Router = Router::new()
///     .route("/users/{id}", get(user))
///     .route("/files/{*path}", get(file));
/// ```
///
/// # Routes
///
/// A route is a path of segments:
///
/// - text stands for itself; a literal brace is written `{{` or `}}`;
/// - `{name}` stands for one segment that is not empty;
/// - `{*name}` stands for the rest of the path, slashes included, at least one byte of it. It comes
///   last. Take care with what it captures: it may hold `..`, and `%2F` has become a slash in it.
///
/// A placeholder is a whole segment. Handlers get what it stands for from [`Path`](crate::Path).
///
/// # Which route
///
/// Segments are compared from left to right, text first, then a placeholder, then a wildcard. If
/// that leads to no route, the next choice is tried: with the routes `/a/{x}/c` and `/a/b/d`, the
/// path `/a/b/c` finds the first one. Neither the order of the routes nor the method has a say.
/// However a path is made, no more is compared than the routes that there are.
///
/// The segments of a path are compared after percent-decoding: `/caf%C3%A9` matches the route
/// `/café`. Each is decoded by itself, so that `%2F` never separates two. Otherwise they are taken
/// as they are: `/a` and `/a/` are two paths, and case matters.
///
/// A path that matches no route goes to the [`fallback`](Self::fallback), and so do the targets
/// that are no path: `*` and the authority of CONNECT. A route that matches but has no handler for
/// the method answers `405 Method Not Allowed`; a placeholder that does not decode to UTF-8, `400
/// Bad Request`.
///
/// # State
///
/// `S` is the state that handlers still wait for: [`with_state`](Self::with_state) gives it to
/// them. A router of which nothing is wanting is a `Router<()>`, and that is a [`Service`].
pub struct Router<S = ()> {
    tree: Tree,
    /// By the numbers in the tree.
    routes: Vec<Methods<Target<S>>>,
    fallback: Option<Endpoint<S>>,
    body_limit: Option<usize>,
}

/// A handler and the names it knows the placeholders by.
struct Target<S> {
    placeholders: Placeholders,
    endpoint: Endpoint<S>,
}

impl<S: Clone + Send + Sync + 'static> Router<S> {
    /// No routes: everything is `404 Not Found`.
    pub fn new() -> Self {
        Self { tree: Tree::default(), routes: Vec::new(), fallback: None, body_limit: None }
    }

    /// Adds a route. A path that is there already gets the methods that it did not have.
    ///
    /// # Panics
    /// If the route is not well-formed or one of its methods has a handler already: a mistake in
    /// the program, which shows at start-up. For routes that come from elsewhere, take
    /// [`try_route`](Self::try_route).
    #[track_caller]
    pub fn route(self, path: &str, methods: MethodRouter<S>) -> Self {
        match self.try_route(path, methods) {
            Ok(router) => router,
            Err(error) => panic!("{error}"),
        }
    }

    /// Adds a route. A path that is there already gets the methods that it did not have.
    ///
    /// # Errors
    /// [`RouteError`] if the route is not well-formed or one of its methods has a handler already.
    pub fn try_route(mut self, path: &str, methods: MethodRouter<S>) -> Result<Self, RouteError> {
        match self.add(path, methods) {
            Ok(()) => Ok(self),
            Err(problem) => Err(RouteError::new(path, problem)),
        }
    }

    fn add(&mut self, path: &str, router: MethodRouter<S>) -> Result<(), RouteProblem> {
        let pattern = Pattern::parse(path)?;
        if let Some(problem) = router.twice {
            return Err(problem);
        }
        let number = self.tree.enter(&pattern, self.routes.len());
        if number == self.routes.len() {
            self.routes.push(Methods::default());
        }
        let route = &mut self.routes[number];
        let placeholders = pattern.placeholders();
        for (method, endpoint) in router.methods.into_entries() {
            let target = Target { placeholders: placeholders.clone(), endpoint };
            match method {
                Some(method) => {
                    let problem = RouteProblem::MethodTwice(method.clone());
                    route.insert(method, target).map_err(|_| problem)?;
                }
                None => route.insert_any(target).map_err(|_| RouteProblem::AnyTwice)?,
            }
        }
        Ok(())
    }

    /// What answers where no route matches, instead of `404 Not Found`.
    pub fn fallback<H: Handler<T, S>, T>(mut self, handler: H) -> Self {
        self.fallback = Some(Endpoint::new(handler));
        self
    }

    /// How many bytes of a body the extractors take that collect it ([`Json`](crate::Json),
    /// [`Form`](crate::Form), [`Bytes`](crate::Bytes), `String`): more is `413 Content Too Large`.
    /// Without it [`DEFAULT_BODY_LIMIT`](crate::DEFAULT_BODY_LIMIT). A [`Body`](crate::Body) that a
    /// handler reads by itself is not limited.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = Some(bytes);
        self
    }

    /// Gives the handlers the state that they wait for. Routes that are added afterwards may wait
    /// for another one.
    ///
    /// ```
    /// use sinew_app::{get, Router, State};
    /// #[derive(Clone)]
    /// struct Greeting(&'static str);
    /// async fn greet(State(greeting): State<Greeting>) -> &'static str {
    ///     greeting.0
    /// }
    /// let app: Router = Router::new().route("/", get(greet)).with_state(Greeting("hello"));
    /// ```
    pub fn with_state<S2>(self, state: S) -> Router<S2> {
        let bind = |target: Target<S>| Target {
            placeholders: target.placeholders,
            endpoint: target.endpoint.bind(state.clone()),
        };
        Router {
            tree: self.tree,
            routes: self.routes.into_iter().map(|methods| methods.map(bind)).collect(),
            fallback: self.fallback.map(|endpoint| endpoint.bind(state.clone())),
            body_limit: self.body_limit,
        }
    }
}

impl Service for Router<()> {
    fn call(&self, mut request: Request) -> ResponseFuture {
        if let Some(limit) = self.body_limit {
            request.set_body_limit(limit);
        }
        let Some(number) = self.tree.find(request.head().path_bytes()) else {
            return match &self.fallback {
                Some(endpoint) => endpoint.call(request, ()).into(),
                None => plain(StatusCode::NOT_FOUND).into(),
            };
        };
        let route = &self.routes[number];
        let Some(target) = route.get(request.method()) else {
            return method_not_allowed(&route.allow()).into();
        };
        if !target.placeholders.is_empty() {
            let mut params = std::mem::take(request.params_mut());
            if target.placeholders.capture(request.path(), &mut params).is_err() {
                return plain(StatusCode::BAD_REQUEST).into();
            }
            *request.params_mut() = params;
        }
        target.endpoint.call(request, ()).into()
    }
}

fn method_not_allowed(allow: &str) -> Response {
    let response = plain(StatusCode::METHOD_NOT_ALLOWED);
    // A method is a token, unless the application made one up that no request can have.
    response.with_header("allow", allow).unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

impl<S: Clone + Send + Sync + 'static> Default for Router<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Clone for Router<S> {
    fn clone(&self) -> Self {
        Self {
            tree: self.tree.clone(),
            routes: self.routes.clone(),
            fallback: self.fallback.clone(),
            body_limit: self.body_limit,
        }
    }
}

impl<S> Clone for Target<S> {
    fn clone(&self) -> Self {
        Self { placeholders: self.placeholders.clone(), endpoint: self.endpoint.clone() }
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("routes", &self.routes.len()).finish_non_exhaustive()
    }
}
