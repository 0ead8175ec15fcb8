//! `usher` as its users meet it: real processes, real sockets.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod etl;
#[cfg(test)]
mod health;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod labels;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod services;
#[cfg(test)]
mod start;
#[cfg(test)]
mod support;
