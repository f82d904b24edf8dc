//! Plain functions as handlers: where they run, and what happens when they cannot.

use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use futures_lite::future::block_on;
use sinew_app::{
    Body, BodyError, Handle, Host, Json, Method, MethodRouter, Request, Router, RunError, Service, State,
    blocking, get,
};

use crate::{Answer, ask, request, send};

type Job = Box<dyn FnOnce() + Send>;

/// A thread for each job.
struct Threads;

impl Host for Threads {
    fn offload(&self, job: Job) -> Result<(), Job> {
        thread::spawn(job);
        Ok(())
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }

    fn draining(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }

    fn is_draining(&self) -> bool {
        false
    }
}

/// No thread for anything.
struct Full;

impl Host for Full {
    fn offload(&self, job: Job) -> Result<(), Job> {
        Err(job)
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }

    fn draining(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }

    fn is_draining(&self) -> bool {
        false
    }
}

fn on(host: impl Host, request: Request) -> Request {
    request.with_handle(Handle::new(Arc::new(host)))
}

fn thread_id() -> String {
    format!("{:?}", thread::current().id())
}

fn here() -> String {
    let id: ThreadId = thread::current().id();
    format!("{id:?}")
}

#[test]
fn a_detached_handle_runs_on_the_spot() {
    let app: Router = Router::new().route("/", blocking::get(thread_id));
    assert_eq!(send(&app, "GET", "/").body, here());
    assert_eq!(block_on(Handle::default().run(here)), Ok(here()));
    block_on(Handle::default().sleep(Duration::from_secs(3600)));
}

#[test]
fn a_host_runs_it_elsewhere() {
    let app: Router = Router::new().route("/", blocking::get(thread_id));
    let answer = ask(&app, on(Threads, request("GET", "/", &[], ())));
    assert_eq!(answer.status, 200);
    assert_ne!(answer.body, here());
}

#[test]
fn no_thread_is_503_and_a_panic_is_500() {
    fn fails() -> &'static str {
        // Not a panic with a message: this test is not to look like a failing one.
        std::panic::resume_unwind(Box::new(()))
    }
    let app: Router =
        Router::new().route("/", blocking::get(|| "fine")).route("/fails", blocking::get(fails));
    let answer = ask(&app, on(Full, request("GET", "/", &[], ())));
    assert_eq!((answer.status, &*answer.body), (503, "Service Unavailable"));
    assert_eq!(answer.field("retry-after"), Some("1"));

    let answer = ask(&app, on(Threads, request("GET", "/fails", &[], ())));
    assert_eq!((answer.status, &*answer.body), (500, "Internal Server Error"));
    assert_eq!(block_on(Handle::new(Arc::new(Threads)).run(fails)), Err(RunError::Panicked));
}

#[test]
fn a_rejected_argument_takes_no_thread() {
    let app: Router = Router::new().route("/", blocking::post(|Json(n): Json<u8>| n.to_string()));
    assert_eq!(ask(&app, on(Full, request("POST", "/", &[], "7"))).status, 415);
}

#[test]
fn the_same_arguments_and_both_kinds_on_one_route() {
    fn store(State(prefix): State<&'static str>, method: Method, text: String) -> String {
        format!("{prefix} {method} {text}")
    }
    let app: Router = Router::new()
        .route("/", get(async || "async").post(blocking(store)).put(blocking(store)))
        .fallback(blocking(|| "plain fallback"))
        .with_state("state");
    assert_eq!(send(&app, "GET", "/").body, "async");
    assert_eq!(ask(&app, on(Threads, request("POST", "/", &[], "text"))).body, "state POST text");
    assert_eq!(send(&app, "GET", "/x").body, "plain fallback");
}

#[test]
fn every_method_has_its_function() {
    let ok = || "ok";
    let routes: [(&str, MethodRouter); 9] = [
        ("GET", blocking::get(ok)),
        ("HEAD", blocking::head(ok)),
        ("POST", blocking::post(ok)),
        ("PUT", blocking::put(ok)),
        ("DELETE", blocking::delete(ok)),
        ("PATCH", blocking::patch(ok)),
        ("OPTIONS", blocking::options(ok)),
        ("TRACE", blocking::trace(ok)),
        ("PURGE", blocking::on(Method::from("PURGE"), ok)),
    ];
    for (method, route) in routes {
        let app = Router::new().route("/", route);
        assert_eq!(send(&app, method, "/").status, 200, "{method}");
        assert_eq!(send(&app, "BREW", "/").status, 405, "{method}");
    }
    let app: Router = Router::new().route("/", blocking::any(ok));
    assert_eq!(send(&app, "BREW", "/").status, 200);
}

#[test]
fn a_body_is_read_while_it_arrives() {
    fn count(body: Body) -> Result<String, BodyError> {
        let mut text = String::new();
        body.into_reader().read_to_string(&mut text)?;
        Ok(text)
    }
    let app: Router = Router::new().route("/", blocking::post(count));
    let (sender, body) = Body::channel(1);
    let client = thread::spawn(move || {
        for piece in ["one ", "two ", "three"] {
            sender.blocking_send(piece).unwrap();
        }
        sender.finish();
    });
    let response = block_on(app.call(on(Threads, request("POST", "/", &[], body))));
    client.join().unwrap();
    assert_eq!(Answer::of(response).body, "one two three");

    let (sender, body) = Body::channel(100);
    sender.blocking_send("half").unwrap();
    drop(sender);
    let answer = ask(&app, on(Threads, request("POST", "/", &[], body)));
    // The reason survives the way through `io::Error`.
    assert_eq!((answer.status, &*answer.body), (400, "the sender of the body gave up"));
}
