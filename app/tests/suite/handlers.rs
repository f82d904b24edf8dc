//! What may be a handler, and in which order its arguments are made.

use futures_lite::future::block_on;
use sinew_app::{
    Body, FromRequest, FromRequestParts, IntoResponse, Method, Parts, Request, Response, Router, StatusCode,
    any, blocking, get,
};

use crate::{ask, request, send};

/// Counts how often one was made for a request, and rejects at the number in `fail-at`.
struct Nth(usize);

impl<S: Sync> FromRequestParts<S> for Nth {
    type Rejection = (StatusCode, String);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let nth = parts.extensions_mut().remove().unwrap_or(0_usize) + 1;
        parts.extensions_mut().insert(nth);
        if parts.field("fail-at") == Some(&*nth.to_string()) {
            return Err((StatusCode::FORBIDDEN, format!("failed at {nth}")));
        }
        Ok(Self(nth))
    }
}

/// Takes the body, and is therefore last.
struct Last(String);

impl<S: Sync> FromRequest<S> for Last {
    type Rejection = <String as FromRequest<S>>::Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        String::from_request(request, state).await.map(Self)
    }
}

#[test]
fn up_to_twelve_arguments_from_left_to_right() {
    async fn none() -> &'static str {
        "0"
    }
    async fn one(a: Nth) -> String {
        format!("{}", a.0)
    }
    async fn two(a: Nth, b: Nth) -> String {
        format!("{} {}", a.0, b.0)
    }
    async fn body(a: Nth, b: Last) -> String {
        format!("{} {}", a.0, b.0)
    }
    #[expect(clippy::too_many_arguments, reason = "as many as there may be")]
    async fn twelve(
        a: Nth,
        _: Method,
        b: Nth,
        c: Nth,
        d: Nth,
        e: Nth,
        f: Nth,
        g: Nth,
        h: Nth,
        i: Nth,
        j: Nth,
        body: Last,
    ) -> String {
        let all = [a, b, c, d, e, f, g, h, i, j].map(|nth| nth.0.to_string());
        format!("{} {}", all.join(" "), body.0)
    }
    #[expect(clippy::too_many_arguments, reason = "as many as there may be")]
    fn plain(
        a: Nth,
        b: Nth,
        c: Nth,
        d: Nth,
        e: Nth,
        f: Nth,
        g: Nth,
        h: Nth,
        i: Nth,
        j: Nth,
        k: Nth,
        body: Body,
    ) -> String {
        let all = [a, b, c, d, e, f, g, h, i, j, k].map(|nth| nth.0.to_string());
        format!("{} {:?}", all.join(" "), body.exact_len())
    }
    let app: Router = Router::new()
        .route("/0", any(none))
        .route("/1", any(one))
        .route("/2", any(two))
        .route("/body", any(body))
        .route("/12", any(twelve))
        .route("/plain", blocking::any(plain));
    for (target, fail_at, status, expected) in [
        ("/0", "1", 200, "0"),
        ("/1", "0", 200, "1"),
        ("/1", "1", 403, "failed at 1"),
        ("/2", "0", 200, "1 2"),
        ("/2", "2", 403, "failed at 2"),
        ("/body", "0", 200, "1 text"),
        ("/12", "0", 200, "1 2 3 4 5 6 7 8 9 10 text"),
        ("/12", "10", 403, "failed at 10"),
        ("/plain", "0", 200, "1 2 3 4 5 6 7 8 9 10 11 Some(4)"),
        ("/plain", "11", 403, "failed at 11"),
    ] {
        let answer = ask(&app, request("POST", target, &[("fail-at", fail_at)], "text"));
        assert_eq!((answer.status, &*answer.body), (status, expected), "{target} failing at {fail_at}");
    }
}

#[test]
fn results_and_question_marks() {
    #[derive(Debug)]
    enum Error {
        NotANumber,
    }
    impl From<std::num::ParseIntError> for Error {
        fn from(_: std::num::ParseIntError) -> Self {
            Self::NotANumber
        }
    }
    impl IntoResponse for Error {
        fn into_response(self) -> Response {
            (StatusCode::BAD_REQUEST, format!("{self:?}")).into_response()
        }
    }
    async fn double(text: String) -> Result<String, Error> {
        Ok((text.parse::<u32>()? * 2).to_string())
    }
    let app: Router = Router::new().route("/", any(double));
    assert_eq!(ask(&app, request("PUT", "/", &[], "21")).body, "42");
    let answer = ask(&app, request("PUT", "/", &[], "x"));
    assert_eq!((answer.status, &*answer.body), (400, "NotANumber"));
}

#[test]
fn a_service_is_what_a_router_is() {
    use futures_lite::future::block_on;
    use sinew_app::{Service, service_fn};

    let echo = service_fn(async |request: Request| request.into_body().into_response());
    let answer = block_on(std::sync::Arc::new(echo).call(request("GET", "/", &[], "text")));
    assert_eq!(crate::Answer::of(answer).body, "text");
    let app: Router = Router::default().route("/", get(async || impl_trait()));
    assert_eq!(send(&app, "GET", "/").body, "made");
}

fn impl_trait() -> impl IntoResponse {
    (StatusCode::OK, "made")
}

#[test]
fn a_handler_that_takes_no_body_lets_go_of_it_before_it_runs() {
    use futures_lite::future::{block_on, pending, poll_once};
    use sinew_app::Service;

    let app: Router = Router::new()
        .route("/none", any(async || pending::<()>().await))
        .route("/method", any(async |_: Method| pending::<()>().await));
    for target in ["/none", "/method"] {
        let (sender, body) = Body::channel(1);
        let mut answer = Box::pin(app.call(request("POST", target, &[], body)));
        assert!(block_on(poll_once(answer.as_mut())).is_none());
        assert!(sender.is_closed(), "{target}");
    }
}

#[test]
fn whoever_changes_the_parts_of_a_request_keeps_its_body() {
    let (_, body) = request("POST", "/old", &[], "text").into_parts();
    let (mut parts, _) = request("PUT", "/new", &[], "another text").into_parts();
    parts.extensions_mut().insert(7_u8);
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert("word");
    let extensions = (request.extensions().get::<u8>().copied(), request.extensions().get::<&str>().copied());
    assert_eq!(extensions, (Some(7), Some("word")));
    assert_eq!((request.method(), request.path()), (&Method::Put, "/new"));
    assert_eq!(block_on(request.into_body().collect(100)).unwrap(), "text");
}
