//! The backend against real repositories, checked with the `git` command line.

mod bounds;
mod conflicts;
mod converted;
mod damage;
mod divergence;
mod files;
mod hidden;
mod http;
mod incoming;
mod interrupted;
mod kill;
mod kinds;
mod left_out;
mod opening;
mod own_files;
mod packs;
mod remotes;
mod ssh;
mod support;
mod touched;
mod workflows;
