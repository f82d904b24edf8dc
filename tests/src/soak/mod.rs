//! Random load on a server that is restarted all the time, and an account of every request.
//!
//! A request ends in one of four ways. It is answered, completely and with the right bytes. It is
//! refused in a way after which HTTP lets a client try again: the server was told to end before the
//! request was complete, and closed without a byte of an answer (RFC 9112 §9.3.1); or it said so
//! itself, by `Connection: close` before it, a 503, or code 1001 on a WebSocket. Its client broke it
//! off. Anything else is a loss: the server had it before it was told to end, or was not told to end
//! at all, and did not answer.

mod account;
mod clients;
mod connection;
mod restarts;

pub use account::{Account, Loss};
pub use restarts::{Plan, run};
