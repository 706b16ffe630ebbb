//! Tests the gateway with real clients and services.

#![allow(missing_docs, clippy::unwrap_used)]

mod api_properties;
mod conformance;
mod events;
mod forwarding;
mod grpc;
mod http2;
mod limits;
mod rewriting;
mod site;
mod smuggling;
mod support;
mod tls;
mod waiting;
mod websocket;
