//! What can be wrong with a route, in words for the one who wrote it.

use crate::Method;

/// A route that cannot be added: which, and why.
///
/// ```
/// use sinew_app::{get, RouteProblem, Router};
/// let router: Router = Router::new();
/// let error = router.try_route("/users/:id", get(async || "")).unwrap_err();
/// assert_eq!(error.problem(), &RouteProblem::OldPlaceholder(":id".to_owned()));
/// assert_eq!(error.to_string(), "route `/users/:id`: a placeholder is written in braces: `{id}` instead of `:id`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("route `{path}`: {problem}")]
pub struct RouteError {
    path: String,
    problem: RouteProblem,
}

impl RouteError {
    pub(crate) fn new(path: &str, problem: RouteProblem) -> Self {
        Self { path: path.to_owned(), problem }
    }

    /// The route as it was given.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &RouteProblem {
        &self.problem
    }
}

/// Why a route cannot be added. What stands in parentheses is the segment, the name or the method
/// that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteProblem {
    /// The path does not start with a slash.
    #[error("a route starts with `/`")]
    NoLeadingSlash,
    /// The path has a query.
    #[error("a route has no query: leave out what follows `?` and take it by the `Query` extractor")]
    Query,
    /// The path is percent-encoded.
    #[error("a route is plain text and matches decoded segments: write `{}` instead of `{}`", decoded(.0), .0)]
    Encoded(String),
    /// A placeholder in the style of other frameworks.
    #[error("a placeholder is written in braces: `{{{}}}` instead of `{}`", .0.trim_start_matches(':'), .0)]
    OldPlaceholder(String),
    /// A wildcard in the style of other frameworks.
    #[error("a wildcard is written in braces: `{}` instead of `{}`", wildcard(.0), .0)]
    OldWildcard(String),
    /// A brace is opened and not closed in the same segment.
    #[error("a brace is not closed in `{0}` (write `{{{{` for a literal brace)")]
    UnclosedBrace(String),
    /// A brace is closed that was not opened.
    #[error("a brace is closed but not opened in `{0}` (write `}}}}` for a literal brace)")]
    UnopenedBrace(String),
    /// A placeholder has text around it, or a second one beside it.
    #[error(
        "a placeholder is a whole segment, but `{0}` is more than that: take the whole segment and split it in the handler"
    )]
    NotWholeSegment(String),
    /// A placeholder without a name.
    #[error("a placeholder needs a name: `{{name}}` or `{{*name}}`")]
    EmptyName,
    /// A placeholder whose name is not one: perhaps a regular expression or a type.
    #[error(
        "`{0}` is not a name: letters, digits, `_` and `-` make a name, and there are no patterns or types in it"
    )]
    InvalidName(String),
    /// Two placeholders of one route have the same name.
    #[error("the name `{0}` stands twice")]
    DuplicateName(String),
    /// Something comes after a wildcard.
    #[error("the wildcard `{{*{0}}}` takes the rest of the path, so nothing can follow it")]
    WildcardNotLast(String),
    /// A method has two handlers.
    #[error(
        "{0} has a handler already (routes that differ in names of placeholders only are the same route)"
    )]
    MethodTwice(Method),
    /// There are two handlers for any method.
    #[error(
        "there is a handler for any method already (routes that differ in names of placeholders only are the same route)"
    )]
    AnyTwice,
}

fn decoded(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

fn wildcard(segment: &str) -> String {
    let name = segment.trim_start_matches('*');
    format!("{{*{}}}", if name.is_empty() { "rest" } else { name })
}
