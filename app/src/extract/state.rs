//! The state of the router, or a part of it.

use std::convert::Infallible;

use crate::{FromRequestParts, Parts};

/// The state that [`Router::with_state`](crate::Router::with_state) was given, or a part of it.
///
/// It is cloned for each request, so keep what is large or shared behind an `Arc`. A handler that
/// needs but a part asks for that, once [`FromRef`] tells how to get it:
///
/// ```
/// use std::sync::Arc;
/// use sinew_app::{get, FromRef, Router, State};
///
/// #[derive(Clone)]
/// struct App {
///     name: Arc<str>,
/// }
///
/// impl FromRef<App> for Arc<str> {
///     fn from_ref(app: &App) -> Self {
///         app.name.clone()
///     }
/// }
///
/// async fn name(State(name): State<Arc<str>>) -> String {
///     name.to_string()
/// }
///
/// let app: Router = Router::new().route("/", get(name)).with_state(App { name: "sinew".into() });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct State<T>(pub T);

/// A part of a state. Every type that is `Clone` is a part of itself.
pub trait FromRef<T> {
    /// Takes the part out of the whole.
    fn from_ref(whole: &T) -> Self;
}

impl<T: Clone> FromRef<T> for T {
    fn from_ref(whole: &T) -> Self {
        whole.clone()
    }
}

impl<S: Sync, T: FromRef<S>> FromRequestParts<S> for State<T> {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(T::from_ref(state)))
    }
}
