//! The issuer: it knows who people are. The only owner of the database and of private keys.

pub mod app;
pub mod client_address;
pub mod client_name;
pub mod command;
pub mod device;
pub mod http;
pub mod login;
pub mod password;
mod portal;
pub mod publish;
pub mod rate_limit;
pub mod service;
pub mod settings;
pub mod signing;
pub mod store;
pub mod verifiers;
