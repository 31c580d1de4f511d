//! The backend against real repositories, checked with the `git` command line.

mod conflicts;
mod damage;
mod divergence;
mod files;
mod hidden;
mod http;
mod incoming;
mod interrupted;
mod kill;
mod kinds;
mod opening;
mod packs;
mod remotes;
mod ssh;
mod support;
mod touched;
mod workflows;
