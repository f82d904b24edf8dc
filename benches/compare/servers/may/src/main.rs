//! may_minihttp, a small server on stackful coroutines, made for speed. Routes by `matchit`. It has no
//! chunks, so that it takes no part where they are asked for.
#![forbid(unsafe_code)]

use std::io::{self, Read};
use std::sync::Arc;

use common::{Answer, CHUNK, CHUNKS, HELLO};
use may_minihttp::{HttpService, HttpServiceFactory, Request, Response};

type Router = matchit::Router<Answer>;

fn main() -> io::Result<()> {
    let options = common::options()?;
    // As its own example for TechEmpower has them: 1,000 coroutines kept, stacks of 4,096 words.
    may::config().set_workers(options.threads).set_pool_capacity(1_000).set_stack_size(0x1000);
    let mut router = Router::new();
    for (path, answer) in common::routes() {
        router.insert(path, answer).map_err(io::Error::other)?;
    }
    let server = Factory(Arc::new(router)).start(("127.0.0.1", options.port))?;
    server.join().map_err(|_| io::Error::other("the server panicked"))
}

struct Factory(Arc<Router>);

impl HttpServiceFactory for Factory {
    type Service = Service;

    fn new_service(&self, _: usize) -> Service {
        Service(Arc::clone(&self.0))
    }
}

struct Service(Arc<Router>);

impl HttpService for Service {
    fn call(&mut self, request: Request<'_, '_, '_>, response: &mut Response<'_>) -> io::Result<()> {
        let Ok(found) = self.0.at(request.path()) else {
            response.status_code(404, "Not Found");
            return Ok(());
        };
        let json = *found.value == Answer::Json;
        response.header(if json { "Content-Type: application/json" } else { "Content-Type: text/plain" });
        match found.value {
            Answer::Plain => {
                response.body(HELLO);
            }
            Answer::Json => response.body_vec(common::json()),
            Answer::User => {
                let id = found.params.get("id").unwrap_or_default();
                response.body_mut().extend_from_slice(id.as_bytes());
            }
            Answer::Echo => {
                let mut body = Vec::new();
                request.body().read_to_end(&mut body)?;
                response.body_vec(body);
            }
            Answer::Stream => (0..CHUNKS).for_each(|_| response.body_mut().extend_from_slice(&CHUNK)),
        }
        Ok(())
    }
}
