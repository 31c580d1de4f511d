//! The report for systems for continuous integration, in the XML that JUnit made common.

use std::fmt::Write;

use super::{Check, Outcome, Verification};

pub(super) fn document(report: &Verification) -> String {
    let name = escaped(&format!("f9 plugins verify {}", report.subject()));
    let unfinished = report.unfinished.as_deref().map(unfinished);
    let errors = report.count(Outcome::Crashed) + report.count(Outcome::TimedOut) + unfinished.iter().len();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" \
         errors=\"{errors}\" skipped=\"{}\" time=\"{:.3}\">\n",
        report.checks.len() + unfinished.iter().len(),
        report.count(Outcome::Failed),
        report.count(Outcome::Skipped),
        report.took.as_secs_f64(),
    );
    report.checks.iter().for_each(|check| case(check, &mut xml));
    xml.push_str(&unfinished.unwrap_or_default());
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

/// What is skipped is well in this format. That checks are missing is an error of its own.
fn unfinished(why: &str) -> String {
    let why = escaped(why);
    format!(
        "<testcase classname=\"run\" name=\"finishes\"><error type=\"unfinished\" message=\"{why}\"/></testcase>\n"
    )
}

fn case(check: &Check, xml: &mut String) {
    let (group, name) = check.name.split_once("::").unwrap_or(("", &check.name));
    let (group, name, seconds) = (escaped(group), escaped(name), check.seconds);
    let (rule, seen) = (escaped(&check.rule), escaped(check.seen.as_deref().unwrap_or_default()));
    let kind = check.outcome.as_str();
    // Writing to a string does not fail.
    let _ = write!(xml, "<testcase classname=\"{group}\" name=\"{name}\" time=\"{seconds:.3}\">");
    let _ = match check.outcome {
        Outcome::Passed => Ok(()),
        Outcome::Skipped => write!(xml, "<skipped message=\"{seen}\"/>"),
        Outcome::Warned => write!(xml, "<system-out>warning: {rule} Seen: {seen}</system-out>"),
        Outcome::Failed => write!(xml, "<failure type=\"{kind}\" message=\"{rule}\">{seen}</failure>"),
        Outcome::Crashed | Outcome::TimedOut => {
            write!(xml, "<error type=\"{kind}\" message=\"{rule}\">{seen}</error>")
        }
    };
    xml.push_str("</testcase>\n");
}

/// Text of any origin as XML 1.0 allows it: most control characters have no place in it, not even escaped.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'.. => escaped.push(c),
            c => escaped.extend(c.escape_default()),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_seen_is_well_formed() {
        let check = |outcome, seen: &str| Check {
            name: "create::is \"so\"".to_owned(),
            rule: "A < B & C.".to_owned(),
            outcome,
            seen: Some(seen.to_owned()),
            seconds: 0.25,
        };
        let checks = vec![check(Outcome::Failed, "\u{1b}[2J]]>\0\u{ffff}é"), check(Outcome::Crashed, "x")];
        let mut report = Verification { checks, ..Verification::default() };
        let xml = report.to_junit();
        assert!(xml.contains("tests=\"2\" failures=\"1\" errors=\"1\" skipped=\"0\""), "{xml}");
        assert!(xml.contains("classname=\"create\" name=\"is &quot;so&quot;\" time=\"0.250\""), "{xml}");
        let failure = "message=\"A &lt; B &amp; C.\">\\u{1b}[2J]]&gt;\\u{0}\\u{ffff}é</failure></testcase>";
        assert!(xml.contains(failure), "{xml}");
        report.unfinished = Some("2s were up & gone".to_owned());
        let xml = report.to_junit();
        let error =
            "name=\"finishes\"><error type=\"unfinished\" message=\"2s were up &amp; gone\"/></testcase>";
        assert!(xml.contains("tests=\"3\" failures=\"1\" errors=\"2\"") && xml.contains(error), "{xml}");
    }
}
