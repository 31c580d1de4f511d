//! The kinds of wrong backends. `tests/examples/mutant.rs` makes a plugin of them.

mod content;
mod create;
pub(crate) mod mutant;
mod optional;
mod streams;
mod tree;

use mutant::Row;

/// Every mutant: what is wrong with it, the case that has to notice, and its operations.
pub(crate) fn rows() -> Vec<Row> {
    [create::mutants(), content::mutants(), tree::mutants(), streams::mutants(), optional::mutants()].concat()
}
