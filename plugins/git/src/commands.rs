//! What this plugin can do beyond the contract: the ways out where a clone and its remote do not go together by themselves.

use f9_plugin_api::{
    Error, ErrorKind, Result,
    serde_json::{Value, json},
};

use crate::{
    backend::GitBackend,
    divergence::{commits, short},
};

/// Runs a command. Every answer has the sentences that tell a person what was done, as `done`.
pub(crate) fn run(backend: &GitBackend, name: &str, arguments: &Value) -> Result<Value> {
    match name {
        "follow_remote" => follow_remote(backend),
        "keep_local" => keep_local(backend, message(arguments)?),
        "abort" => abort(backend),
        "repair" => Ok(json!({"done": backend.repair()?})),
        _ => Err(Error::unsupported(&format!("the command `{name}`"))
            .hint("the commands are `follow_remote`, `keep_local`, `abort` and `repair`")),
    }
}

fn message(arguments: &Value) -> Result<Option<&str>> {
    match &arguments["message"] {
        Value::Null => Ok(None),
        Value::String(message) => Ok(Some(message)),
        _ => Err(Error::new(ErrorKind::InvalidOperation, "`message` is no text")
            .hint(r#"as in {"message": "Correct the address"}"#)),
    }
}

fn follow_remote(backend: &GitBackend) -> Result<Value> {
    let followed = backend.operate(|repo| repo.follow_remote())?;
    let (mut done, mut kept) = (Vec::new(), Value::Null);
    if let Some((name, count)) = followed.kept {
        done.push(format!("{} of here that the remote lacks: kept as {name}", commits(count)));
        kept = json!({"reference": name, "commits": count});
    }
    done.push(format!("now as the remote, at {}", short(followed.now)));
    Ok(json!({"done": done, "kept": kept, "revision": followed.now.to_string()}))
}

fn abort(backend: &GitBackend) -> Result<Value> {
    let commit = backend.undo()?;
    let done = [format!("the pull is taken back: the branch is at {}", short(commit))];
    Ok(json!({"done": done, "revision": commit.to_string()}))
}

fn keep_local(backend: &GitBackend, message: Option<&str>) -> Result<Value> {
    let report = backend.operate(|repo| {
        let sent = repo.keep_local(message)?;
        repo.report(sent, 0)
    })?;
    let done = [format!("published what is here: sent {}", commits(report.sent))];
    Ok(json!({"done": done, "sent": report.sent, "revision": report.revision}))
}
