//! What the pages say, held against the programs: every command, every file of settings, every recorded session.
//!
//! A block that nothing is known of fails: give it a row in [`fates`].

#[cfg(test)]
mod check;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod fates;
#[cfg(test)]
mod links;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod page;
#[cfg(test)]
#[path = "../support/programs.rs"]
mod programs;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod recipes;
#[cfg(test)]
mod run;
#[cfg(test)]
mod session;
#[cfg(test)]
mod shell;
