//! Zero configuration on real projects: each is made by its framework's own generator, comes up
//! with a bare `portway up`, and answers on its URL.
//!
//! They install packages, which takes minutes the first time; so they run as a step of their own
//! (`cargo xtask frameworks`). What is fetched is kept below `target/`.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../it/sandbox.rs"]
mod sandbox;

mod generated;
mod node;
mod python;
mod ruby;
