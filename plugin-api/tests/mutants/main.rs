//! The suite catches backends that break the contract: each mutant is a conforming backend with one operation changed,
//! and the case that is about the broken rule has to fail.

mod kinds;

use f9_plugin_api::conformance::{self, Case, Verdict};

use kinds::{
    mutant::{Mutant, RIGHT, Row},
    rows,
};

#[test]
fn every_mutant_is_caught_by_the_case_about_it() {
    let rows = rows();
    let survivors: Vec<_> = rows.iter().filter_map(survives).collect();
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
fn every_case_has_a_mutant_that_it_has_to_catch() {
    let caught: Vec<_> = rows().iter().map(|(_, case, _)| *case).collect();
    let idle: Vec<_> = conformance::cases().map(Case::name).filter(|name| !caught.contains(name)).collect();
    assert!(idle.is_empty(), "{idle:#?}");
}

#[test]
fn unchanged_the_mutant_conforms() {
    conformance::run(|| Box::new(Mutant::new(RIGHT))).assert();
}
