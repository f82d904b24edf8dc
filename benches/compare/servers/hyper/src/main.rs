//! hyper on tokio: a runtime and a socket for each thread, no `Send` where none is needed, one type of body
//! without a box, and `pipeline_flush`, which gathers pipelined responses. Routes by `matchit`.
#![forbid(unsafe_code)]

mod body;

use std::convert::Infallible;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use common::{Answer, HELLO};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, SERVER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};

use body::Body;

type Router = matchit::Router<Answer>;

fn main() -> io::Result<()> {
    let options = common::options()?;
    common::on_threads(options.threads, move || serve(options.port))
}

fn serve(port: u16) -> io::Result<()> {
    let mut router = Router::new();
    for (path, answer) in common::routes() {
        router.insert(path, answer).map_err(io::Error::other)?;
    }
    let router = Rc::new(router);
    let runtime = Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::from_std(common::listen(port)?)?;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true)?;
            spawn_local(connection(stream, Rc::clone(&router)));
        }
    })
}

async fn connection(stream: TcpStream, router: Rc<Router>) {
    let service = service_fn(move |request| {
        let response = respond(request, &router);
        async { Ok::<_, Infallible>(response) }
    });
    // A client that goes away is no error.
    let _ = http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(stream), service).await;
}

fn respond(request: Request<Incoming>, router: &Router) -> Response<Body> {
    let found = router.at(request.uri().path()).map(|found| (*found.value, found.params.get("id")));
    let (kind, body) = match found {
        Ok((Answer::Plain, _)) => ("text/plain", Body::full(Bytes::from_static(HELLO.as_bytes()))),
        Ok((Answer::Json, _)) => ("application/json", Body::full(common::json().into())),
        Ok((Answer::User, id)) => {
            ("text/plain", Body::full(Bytes::copy_from_slice(id.unwrap_or_default().as_bytes())))
        }
        Ok((Answer::Echo, _)) => ("text/plain", Body::Incoming(request.into_body())),
        Ok((Answer::Stream, _)) => ("text/plain", Body::chunks()),
        Err(_) => {
            let mut missing = Response::new(Body::full(Bytes::new()));
            *missing.status_mut() = StatusCode::NOT_FOUND;
            return missing;
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(SERVER, HeaderValue::from_static("hyper"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
