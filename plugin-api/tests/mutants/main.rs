//! The suite catches backends that break the contract: each mutant is a conforming backend with one operation changed,
//! and the case that is about the broken rule has to fail.

mod content;
mod create;
mod mutant;
mod optional;
mod streams;
mod tree;

use f9_plugin_api::conformance::{self, Verdict};

use mutant::{Mutant, Row};

fn rows() -> Vec<Row> {
    [create::mutants(), content::mutants(), tree::mutants(), streams::mutants(), optional::mutants()].concat()
}

#[test]
#[expect(clippy::print_stderr, reason = "the count is for whoever runs the tests with --nocapture")]
fn every_mutant_is_caught_by_the_case_about_it() {
    // Many panic on purpose; their messages would hide the list of survivors.
    std::panic::set_hook(Box::new(|_| {}));
    let rows = rows();
    let survivors: Vec<_> = rows.iter().filter_map(survives).collect();
    let _ = std::panic::take_hook();
    let (caught, total) = (rows.len() - survivors.len(), rows.len());
    eprintln!("{caught}/{total} mutants caught");
    assert!(survivors.is_empty(), "{caught}/{total} caught; not these: {survivors:#?}");
}

/// Says so if the case that is about a mutant lets it pass.
fn survives((wrong, case, ops): &Row) -> Option<String> {
    let verdict = conformance::case(case).map(|case| case.run(|| Box::new(Mutant::new(*ops))));
    match verdict {
        Some(Verdict::Failed(_)) => None,
        other => Some(format!("{wrong}: {case}: {other:?}")),
    }
}

#[test]
fn unchanged_the_mutant_conforms() {
    conformance::run(|| Box::new(Mutant::new(mutant::RIGHT))).assert();
}
