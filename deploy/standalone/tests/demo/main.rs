//! The movie demo, driven as its users would: a real nginx with the configuration of `deploy/nginx`, a real `usher`
//! process, and the movie service.

mod client;
mod forgery;
mod outage;
mod relay;
mod stand;
mod story;
