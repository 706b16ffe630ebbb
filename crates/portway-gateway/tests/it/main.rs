//! The gateway as its clients and its services see it: real sockets on both sides.

#![allow(missing_docs, clippy::unwrap_used)]

mod forwarding;
mod http2;
mod limits;
mod site;
mod smuggling;
mod tls;
mod town;
mod waiting;
mod websocket;
