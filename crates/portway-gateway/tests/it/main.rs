//! The gateway as its clients and its services see it: real sockets on both sides.

mod forwarding;
mod http2;
mod limits;
mod smuggling;
mod town;
mod waiting;
mod websocket;
