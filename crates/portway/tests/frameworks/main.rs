//! Real projects without configuration: each is created by the generator of its framework, starts
//! with `portway up`, and responds on its URL.
//!
//! These tests install packages, which takes minutes the first time, so they run separately
//! (`cargo xtask frameworks`). Downloads are cached in `target/`.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../it/sandbox.rs"]
mod sandbox;

mod generated;
mod modules;
mod node;
mod python;
mod ruby;
