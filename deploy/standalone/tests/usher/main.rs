//! `usher` as its users meet it: real processes, real sockets.

mod revocation;
mod start;
mod support;
