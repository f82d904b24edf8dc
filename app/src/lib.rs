//! Requests to responses, without I/O.
//!
//! A [`Router`] picks a handler, [extractors](FromRequest) give it what it asks for, and what it
//! returns [becomes](IntoResponse) a [`Response`]. Nothing here opens a socket, so that a handler,
//! or a whole application, can be called in a test as it stands:
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use serde::{Deserialize, Serialize};
//! use sinew_app::{blocking, get, Json, Path, Request, Router, Service, State, StatusCode};
//!
//! #[derive(Clone, Deserialize, Serialize)]
//! struct Note {
//!     text: String,
//! }
//!
//! type Notes = Arc<Mutex<Vec<Note>>>;
//!
//! async fn add(State(notes): State<Notes>, Json(note): Json<Note>) -> (StatusCode, String) {
//!     let mut notes = notes.lock().unwrap();
//!     notes.push(note);
//!     (StatusCode::CREATED, format!("/notes/{}", notes.len() - 1))
//! }
//!
//! async fn show(Path(id): Path<usize>, State(notes): State<Notes>) -> Result<Json<Note>, StatusCode> {
//!     notes.lock().unwrap().get(id).cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
//! }
//!
//! // A plain function: it runs on a thread where it may block.
//! fn export(State(notes): State<Notes>) -> String {
//!     notes.lock().unwrap().iter().map(|note| format!("{}\n", note.text)).collect()
//! }
//!
//! let app = Router::new()
//!     .route("/notes", blocking::get(export).post(add))
//!     .route("/notes/{id}", get(show))
//!     .with_state(Notes::default());
//!
//! # futures_lite::future::block_on(async {
//! let json = [("content-type", "application/json")];
//! let response = app.call(Request::build("POST", "/notes", json, r#"{"text":"hello"}"#)?).await;
//! assert_eq!(response.status(), StatusCode::CREATED);
//!
//! let response = app.call(Request::build("GET", "/notes/0", [], "")?).await;
//! let (_, headers, body) = response.into_parts();
//! assert_eq!(headers.get("content-type"), Some(&b"application/json"[..]));
//! assert_eq!(body.collect(100).await?, r#"{"text":"hello"}"#);
//!
//! let response = app.call(Request::build("GET", "/notes/one", [], "")?).await;
//! assert_eq!(response.status(), StatusCode::BAD_REQUEST);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! To serve it, hand it to one of the adapters.
#![forbid(unsafe_code)]

pub mod blocking;
mod body;
mod disconnect;
mod extensions;
mod extract;
mod file;
mod handle;
mod handler;
mod into_response;
mod method;
mod method_router;
mod methods;
mod params;
mod pipe;
mod pooled;
mod request;
mod response;
mod router;
mod service;
mod sse;
mod upgrade;
pub mod websocket;

pub use blocking::blocking;
pub use body::{Body, BodyError, BodyReader, BodySender, Closed, Incoming};
pub use bytes::Bytes;
pub use disconnect::{ClientWatch, Disconnect, Gone, WaitGone};
pub use extensions::Extensions;
pub use extract::{
    Extension, Form, FormRejection, FromRef, FromRequest, FromRequestParts, Json, JsonRejection, LeavesBody,
    MissingExtension, MissingPeer, Path, PathRejection, Peer, Query, QueryRejection, State, StringRejection,
    TakesBody,
};
pub use file::FileBody;
pub use handle::{Handle, Host, RunError};
pub use handler::Handler;
pub use into_response::{Html, IntoResponse, Redirect};
pub use method::Method;
pub use method_router::{MethodRouter, any, delete, get, head, on, options, patch, post, put, trace};
pub use request::{DEFAULT_BODY_LIMIT, Parts, Request};
pub use response::Response;
pub use router::{RouteError, RouteProblem, Router};
pub use service::{ResponseFuture, Service, ServiceFn, service_fn};
pub use sinew_proto::http1::Version;
pub use sinew_proto::sse::EventError;
pub use sinew_proto::{FieldError, FieldLines as Headers, Fields, StatusCode};
pub use sse::{Event, EventSender, IntoEvent, LastEventId, Sse};
pub use upgrade::{Received, Upgrade, Upgraded};
pub use websocket::{
    BlockingWebSocket, CloseReason, ConnectError, Message, WebSocket, WebSocketClient, WebSocketError,
    WebSocketReceiver, WebSocketRejection, WebSocketSender, WebSocketUpgrade,
};
