//! The contract's suite, in each of the service's moods.

use std::{sync::Mutex, time::Duration};

use f9_openai_server::{Parts, Server, Settings, Shape};
use f9_plugin_api::conformance::{self, Report};
use serde_json::{Value, json};

use super::{in_parallel, open_with};

/// Takes hundreds of files, and with them most of the time. One mode is enough, unless all is asked for.
const LONG: &str = "list::many_entries_are_complete";

/// Runs the suite. Unless `options` say otherwise listings are cached, which only matters for the time that it takes.
fn conforms(change: impl FnOnce(&mut Settings), options: Value) {
    let full = std::env::var_os("F9_FULL").is_some();
    let mut settings = Settings::default();
    change(&mut settings);
    let server = Server::with(settings);
    let mut all = json!({"cache_ttl": 3600});
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let cases = conformance::cases().filter(|case| full || options == json!({}) || case.name() != LONG);
    let report = Mutex::new(Report::default());
    in_parallel(&cases.collect::<Vec<_>>(), |case| {
        let outcome = case.run(|| Box::new(open_with(&server, &server.create_vector_store(), all.clone())));
        report.lock().unwrap().add(case, outcome);
    });
    report.into_inner().unwrap().assert();
}

#[test]
fn as_strict_as_the_service() {
    conforms(|_| {}, json!({}));
}

#[test]
fn looking_afresh_each_time() {
    conforms(|_| {}, json!({"cache_ttl": 0}));
}

#[test]
fn with_parsed_text_in_overlapping_chunks_and_the_older_shape() {
    conforms(
        |settings| {
            settings.content_parts = Parts::Chunks;
            settings.content_shape = Shape::Content;
            settings.repeat_on_page_boundary = true;
        },
        json!({"timeout": 60}),
    );
}

#[test]
fn with_listings_that_lag_behind_and_slow_indexing() {
    conforms(
        |settings| {
            settings.list_lag = Duration::from_millis(200);
            settings.retrieve_lag = Duration::from_millis(5);
            settings.index_delay = Duration::from_millis(5);
        },
        json!({"cache_ttl": 0.05}),
    );
}

#[test]
fn where_files_can_be_downloaded_and_text_is_left_as_it_is() {
    conforms(
        |settings| {
            settings.allow_downloads = true;
            settings.normalise = false;
            settings.float_numbers = true;
        },
        json!({"purpose": "user_data"}),
    );
}

#[test]
fn with_everything_armoured() {
    conforms(|_| {}, json!({"encoding": "exact"}));
}

#[test]
fn with_text_searchable_in_any_case_and_parsed_text_in_pages() {
    conforms(
        |settings| {
            settings.content_parts = Parts::Chunks;
            settings.content_page = 1000;
            settings.beta_required = true;
        },
        json!({"encoding": "searchable"}),
    );
}
