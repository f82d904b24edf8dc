//! Which route answers, which method, and what is no route at all.

use sinew_app::{
    Method, MethodRouter, Path, Request, RouteProblem, Router, Service, StatusCode, any, delete, get, head,
    on, options, patch, post, put, trace,
};

use crate::{ask, request, send};

/// Answers GET with the route and what its placeholders stand for.
fn echo(route: &'static str) -> MethodRouter {
    get(move |Path(params): Path<Vec<(String, String)>>| async move {
        let params: String = params.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        format!("{route}{params}")
    })
}

fn app(routes: &[&'static str]) -> Router {
    routes.iter().fold(Router::new(), |app, route| app.route(route, echo(route)))
}

/// Each target and the text that answers it; "404" for no route.
fn check(routes: &[&'static str], table: &[(&str, &str)]) {
    let app = app(routes);
    let reversed: Vec<_> = routes.iter().rev().copied().collect();
    let reversed = self::app(&reversed);
    for (target, expected) in table {
        for app in [&app, &reversed] {
            let (status, body) = crate::get(app, target);
            let found = if status == 200 { body } else { status.to_string() };
            assert_eq!(found, *expected, "{target} in {routes:?}");
        }
    }
}

#[test]
fn text_stands_for_itself() {
    check(
        &["/", "/a", "/a/", "/a//b", "/{{x}}", "/ä b", "/50%", "/a:b*c"],
        &[
            ("/", "/"),
            ("/a", "/a"),
            ("/a/", "/a/"),
            ("/a//b", "/a//b"),
            ("/a/b", "404"),
            ("/A", "404"),
            ("//", "404"),
            ("/a?x=/b", "/a"),
            ("/{x}", "/{{x}}"),
            ("/%7Bx%7d", "/{{x}}"),
            ("/%C3%A4%20b", "/ä b"),
            ("/%61", "/a"),
            ("/50%25", "/50%"),
            ("/50%2525", "404"),
            ("/a:b*c", "/a:b*c"),
            ("/a/.", "404"),
            ("/b/../a", "404"),
        ],
    );
}

#[test]
fn a_placeholder_is_one_segment_that_is_not_empty() {
    check(
        &["/u/{id}", "/u/{id}/", "/u/{id}/p/{page}"],
        &[
            ("/u/7", "/u/{id} id=7"),
            ("/u/7/", "/u/{id}/ id=7"),
            ("/u/", "404"),
            ("/u//", "404"),
            ("/u//p/2", "404"),
            ("/u/7/p/2", "/u/{id}/p/{page} id=7 page=2"),
            ("/u/7/p", "404"),
            ("/u/a%2Fb", "/u/{id} id=a/b"),
            ("/u/a%2Fp%2Fc/p/x%20y", "/u/{id}/p/{page} id=a/p/c page=x y"),
            ("/u/%C3%BC", "/u/{id} id=ü"),
            ("/u/100%25", "/u/{id} id=100%"),
            ("/u/+", "/u/{id} id=+"),
            ("/u/..", "/u/{id} id=.."),
            ("/u/%FF", "400"),
            ("/u/%C3", "400"),
        ],
    );
}

#[test]
fn a_wildcard_is_the_rest_but_not_nothing() {
    check(
        &["/f/{*path}", "/{*all}"],
        &[
            ("/f/a", "/f/{*path} path=a"),
            ("/f/a/b/", "/f/{*path} path=a/b/"),
            ("/f//", "/f/{*path} path=/"),
            ("/f/a%2Fb/%20", "/f/{*path} path=a/b/ "),
            ("/f/", "/{*all} all=f/"),
            ("/f", "/{*all} all=f"),
            ("/", "404"),
            ("//", "/{*all} all=/"),
            ("/f/a/%FF", "400"),
        ],
    );
}

#[test]
fn text_before_placeholder_before_wildcard_with_backtracking() {
    check(
        &["/a/{x}/c", "/a/b/d", "/a/b/{*r}", "/{x}/b/e", "/{*r}", "/a/{x}/{y}/z", "/a/b/d/{y}/w"],
        &[
            ("/a/b/d", "/a/b/d"),
            ("/a/b/c", "/a/b/{*r} r=c"),
            ("/a/q/c", "/a/{x}/c x=q"),
            ("/a/b/e", "/a/b/{*r} r=e"),
            ("/q/b/e", "/{x}/b/e x=q"),
            ("/a/b", "/{*r} r=a/b"),
            ("/a/b/", "/{*r} r=a/b/"),
            ("/a/b/d/z", "/a/b/{*r} r=d/z"),
            ("/a/q/d/z", "/a/{x}/{y}/z x=q y=d"),
            ("/a/q/d/w", "/{*r} r=a/q/d/w"),
            ("/%61/q/c", "/a/{x}/c x=q"),
            ("/a/b/d/1/w", "/a/b/d/{y}/w y=1"),
        ],
    );
    check(
        &["/a/{x}/c", "/a/b/d"],
        &[("/a/b/c", "/a/{x}/c x=b"), ("/a/b/d", "/a/b/d"), ("/a/c/d", "404"), ("/a%2Fb%2Fd", "404")],
    );
}

#[test]
fn a_path_that_could_be_tried_in_many_ways_is_not() {
    // Every level has both text and a placeholder, so that one choice after another fails.
    let mut app: Router = Router::new();
    for split in 0..=40 {
        let route = format!(
            "{}{}/end",
            "/a".repeat(split),
            (split..40).map(|i| format!("/{{p{i}}}")).collect::<String>()
        );
        app = app.route(&route, get(async || ""));
    }
    let path = "/a".repeat(2_000);
    assert_eq!(send(&app, "GET", &path).status, 404);
    assert_eq!(send(&app, "GET", &format!("{}/end", "/a".repeat(40))).status, 200);
    assert_eq!(send(&app, "GET", &format!("{}/END", "/a".repeat(40))).status, 404);
}

#[test]
fn names_belong_to_the_route() {
    let app = app(&["/u/{id}", "/u/{name}/mail", "/{section}/{*rest}"])
        .route("/u/{user}", post(async |Path(params): Path<Vec<(String, String)>>| params[0].0.clone()));
    assert_eq!(crate::get(&app, "/u/1").1, "/u/{id} id=1");
    assert_eq!(crate::get(&app, "/u/1/mail").1, "/u/{name}/mail name=1");
    assert_eq!(crate::get(&app, "/v/1/2").1, "/{section}/{*rest} section=v rest=1/2");
    assert_eq!(send(&app, "POST", "/u/1").body, "user");
}

#[test]
fn targets_that_are_no_path_go_to_the_fallback() {
    let app =
        app(&["/{*all}", "/"]).fallback(async |request: Request| format!("fallback {}", request.target()));
    for (method, target, expected) in [
        ("OPTIONS", "*", "fallback *"),
        ("CONNECT", "a.example:80", "fallback a.example:80"),
        ("GET", "http://a.example/x", "/{*all} all=x"),
        ("GET", "http://a.example", "/"),
        ("GET", "http://a.example?q", "/"),
    ] {
        assert_eq!(send(&app, method, target).body, expected, "{method} {target}");
    }
}

#[test]
fn the_fallback_answers_paths_and_not_methods() {
    let app = app(&["/a"]).fallback(async |Path(params): Path<Vec<(String, String)>>| {
        assert!(params.is_empty());
        (StatusCode::GONE, "nothing here")
    });
    assert_eq!(crate::get(&app, "/b"), (410, "nothing here".to_owned()));
    assert_eq!(send(&app, "POST", "/a").status, 405);
}

#[test]
fn without_a_fallback_there_is_a_short_text() {
    let app = app(&["/a"]);
    let not_found = send(&app, "GET", "/b");
    assert_eq!((not_found.status, &*not_found.body), (404, "Not Found"));
    assert_eq!(not_found.field("content-type"), Some("text/plain; charset=utf-8"));
    let not_allowed = send(&app, "PUT", "/a");
    assert_eq!((not_allowed.status, &*not_allowed.body), (405, "Method Not Allowed"));
    assert_eq!(not_allowed.field("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn allow_is_sorted_and_each_method_once() {
    let none = async || "";
    let purge = Method::from("PURGE");
    let routes: Vec<(MethodRouter, &str)> = vec![
        (get(none), "GET, HEAD"),
        (head(none), "HEAD"),
        (head(none).get(none), "GET, HEAD"),
        (put(none).delete(none).post(none), "DELETE, POST, PUT"),
        (trace(none).patch(none).options(none), "OPTIONS, PATCH, TRACE"),
        (patch(none).get(none).on(purge.clone(), none), "GET, HEAD, PATCH, PURGE"),
        (options(none), "OPTIONS"),
        (delete(none), "DELETE"),
        (on(purge, none), "PURGE"),
    ];
    for (route, allow) in routes {
        let app = Router::new().route("/", route);
        let answer = send(&app, "LOCK", "/");
        assert_eq!((answer.status, answer.field("allow")), (405, Some(allow)));
    }
}

#[test]
fn methods() {
    let say = |text: &'static str| async move || text;
    let app: Router = Router::new()
        .route("/get", get(say("get")).post(say("post")))
        .route("/head", get(say("get")).head(say("head")))
        .route("/any", any(say("any")).put(say("put")))
        .route("/any-get", get(say("get")).any(say("any")))
        .route("/merged", put(say("put")))
        .route("/merged", get(say("get")).any(say("any")));
    for (method, target, status, body) in [
        ("GET", "/get", 200, "get"),
        // The core leaves out the body and tells its length.
        ("HEAD", "/get", 200, "get"),
        ("POST", "/get", 200, "post"),
        ("get", "/get", 405, "Method Not Allowed"),
        ("HEAD", "/head", 200, "head"),
        ("GET", "/any", 200, "any"),
        ("PUT", "/any", 200, "put"),
        ("HEAD", "/any", 200, "any"),
        ("BREW", "/any", 200, "any"),
        ("HEAD", "/any-get", 200, "get"),
        ("PUT", "/merged", 200, "put"),
        ("HEAD", "/merged", 200, "get"),
        ("PATCH", "/merged", 200, "any"),
    ] {
        let answer = send(&app, method, target);
        assert_eq!((answer.status, &*answer.body), (status, body), "{method} {target}");
    }
}

#[test]
fn head_is_seen_as_head() {
    let app: Router = Router::new().route("/", get(async |method: Method| method.to_string()));
    assert_eq!(send(&app, "HEAD", "/").body, "HEAD");
}

#[test]
fn what_is_wrong_with_a_route_is_said() {
    for (route, expected) in [
        ("", "route ``: a route starts with `/`"),
        ("users", "route `users`: a route starts with `/`"),
        ("/:id", "route `/:id`: a placeholder is written in braces: `{id}` instead of `:id`"),
        ("/f/*path", "route `/f/*path`: a wildcard is written in braces: `{*path}` instead of `*path`"),
        ("/f/*", "route `/f/*`: a wildcard is written in braces: `{*rest}` instead of `*`"),
        ("/{id", "route `/{id`: a brace is not closed in `{id` (write `{{` for a literal brace)"),
        ("/{a/b}", "route `/{a/b}`: a brace is not closed in `{a` (write `{{` for a literal brace)"),
        ("/id}", "route `/id}`: a brace is closed but not opened in `id}` (write `}}` for a literal brace)"),
        ("/{}", "route `/{}`: a placeholder needs a name: `{name}` or `{*name}`"),
        ("/{*}", "route `/{*}`: a placeholder needs a name: `{name}` or `{*name}`"),
        (
            "/{name}.json",
            "route `/{name}.json`: a placeholder is a whole segment, but `{name}.json` is more than that: take the \
             whole segment and split it in the handler",
        ),
        (
            "/{a}{b}",
            "route `/{a}{b}`: a placeholder is a whole segment, but `{a}{b}` is more than that: take the whole segment \
             and split it in the handler",
        ),
        (
            r"/{id:\d+}",
            r"route `/{id:\d+}`: `id:\d+` is not a name: letters, digits, `_` and `-` make a name, and there are no patterns or types in it",
        ),
        ("/{id}/x/{id}", "route `/{id}/x/{id}`: the name `id` stands twice"),
        ("/{id}/{*id}", "route `/{id}/{*id}`: the name `id` stands twice"),
        (
            "/{*a}/b",
            "route `/{*a}/b`: the wildcard `{*a}` takes the rest of the path, so nothing can follow it",
        ),
        (
            "/{*a}/",
            "route `/{*a}/`: the wildcard `{*a}` takes the rest of the path, so nothing can follow it",
        ),
        (
            "/a?b=c",
            "route `/a?b=c`: a route has no query: leave out what follows `?` and take it by the `Query` extractor",
        ),
        (
            "/caf%C3%A9",
            "route `/caf%C3%A9`: a route is plain text and matches decoded segments: write `café` instead of `caf%C3%A9`",
        ),
    ] {
        let router: Router = Router::new();
        let error = router.try_route(route, get(async || "")).expect_err(route);
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.path(), route);
    }
}

#[test]
fn a_method_has_one_handler() {
    let none = async || "";
    let again = "has a handler already (routes that differ in names of placeholders only are the same route)";
    for (first, route, second, expected) in [
        ("/a", "/a", get(none), format!("route `/a`: GET {again}")),
        ("/a/{x}", "/a/{y}", post(none).get(none), format!("route `/a/{{y}}`: GET {again}")),
        ("/{*x}", "/{*y}", get(none), format!("route `/{{*y}}`: GET {again}")),
        ("/other", "/a", put(none).put(none), format!("route `/a`: PUT {again}")),
        (
            "/other",
            "/a",
            on(Method::from("LOCK"), none).on(Method::from("LOCK"), none),
            format!("route `/a`: LOCK {again}"),
        ),
    ] {
        let router: Router = Router::new().route(first, get(none));
        let error = router.try_route(route, second).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let router: Router = Router::new().route("/", any(none));
    let error = router.try_route("/", get(none).any(none)).unwrap_err();
    assert_eq!(error.problem(), &RouteProblem::AnyTwice);
}

#[test]
#[should_panic(expected = "route `/:id`: a placeholder is written in braces: `{id}` instead of `:id`")]
fn route_panics_with_the_same_words() {
    let _: Router = Router::new().route("/:id", get(async || ""));
}

#[test]
fn a_clone_answers_alike_and_is_extended_alone() {
    let app = app(&["/a"]);
    let more = app.clone().route("/b", echo("/b"));
    assert_eq!(
        (crate::get(&app, "/b").0, crate::get(&more, "/b").0, crate::get(&more, "/a").0),
        (404, 200, 200)
    );
}

#[test]
fn middlemen_find_parameters_by_name() {
    let app: Router = Router::new().route(
        "/{a}/{b}",
        get(async |request: Request| {
            format!("{:?} {:?} {:?}", request.param("b"), request.param("a"), request.param("c"))
        }),
    );
    assert_eq!(ask(&app, request("GET", "/1/%32", &[], ())).body, r#"Some("2") Some("1") None"#);
}

#[test]
fn a_router_behind_a_route_has_placeholders_of_its_own() {
    let user = get(async |Path(params): Path<Vec<(String, String)>>| format!("{params:?}"));
    let one = get(async |Path(name): Path<String>| name);
    let inner: Router = Router::new().route("/v1/{name}", user).route("/v2/{name}", one);
    let app: Router =
        Router::new().route("/{version}/{*rest}", get(move |request: Request| inner.call(request)));
    assert_eq!(crate::get(&app, "/v1/ada"), (200, r#"[("name", "ada")]"#.to_owned()));
    assert_eq!(crate::get(&app, "/v2/ada"), (200, "ada".to_owned()));
}
