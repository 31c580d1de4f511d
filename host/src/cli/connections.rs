//! The commands on named connections.

use std::{collections::BTreeMap, path::Path};

use clap::{Args, Subcommand};
use f9_host::{
    Backend, Capabilities, Connection, Connections, Error, ErrorKind, FileBackend, PluginName, Result,
    nearest,
    serde_json::{Map, Value, json},
};

use super::{output::Output, prompt::Prompt, questions, session::Session, terminal::one_line};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  f9 connections add notes local root=/srv/notes\n  f9 ls notes:\n  f9 connections list"
)]
pub(crate) struct ConnectionsArgs {
    /// Without one: list.
    #[command(subcommand)]
    command: Option<ConnectionsCommand>,
}

#[derive(Debug, Subcommand)]
enum ConnectionsCommand {
    /// List them: name and backend, and of what is broken why.
    #[command(after_help = "Example:\n  f9 connections list")]
    List,
    /// Print one without its secrets.
    #[command(after_help = "Example:\n  f9 connections show notes")]
    Show { name: String },
    /// Open one, and tell what it can do.
    #[command(after_help = "Example:\n  f9 connections check notes")]
    Check { name: String },
    /// Add one: takes what the plugin wants to know from the arguments, or from -c, or asks for it.
    #[command(
        after_help = "It is checked against what the plugin says of its options; `f9 connections check` opens it.\n\nExamples:\n  f9 connections add notes local\n  f9 connections add notes local root=/srv/notes\n  f9 -c '{\"backend\": \"local\", \"root\": \"/srv/notes\"}' connections add notes"
    )]
    Add(Add),
    /// Forget one. What it led to stays as it is.
    #[command(after_help = "Example:\n  f9 connections remove notes")]
    Remove { name: String },
}

#[derive(Debug, Args)]
struct Add {
    /// What paths in it will begin with.
    name: String,
    /// The plugin; asked for if it is missing.
    #[arg(conflicts_with = "connection")]
    backend: Option<String>,
    /// Options of the plugin. With any, no others are asked for but those that are required.
    #[arg(value_name = "KEY=VALUE", conflicts_with = "connection")]
    options: Vec<String>,
    /// Replace one that exists.
    #[arg(long)]
    overwrite: bool,
    /// Add it as it is, also without its plugin.
    #[arg(long)]
    no_check: bool,
}

pub(crate) fn run(connections: &ConnectionsArgs, session: &Session<'_>, output: &mut Output) -> Result<()> {
    match &connections.command {
        None | Some(ConnectionsCommand::List) => list(session, output),
        Some(ConnectionsCommand::Show { name }) => show(name, session, output),
        Some(ConnectionsCommand::Check { name }) => check(name, session, output),
        Some(ConnectionsCommand::Add(args)) => add(args, session, output),
        Some(ConnectionsCommand::Remove { name }) => remove(name, session),
    }
}

fn list(session: &Session<'_>, output: &mut Output) -> Result<()> {
    let connections = session.connections()?;
    let mut looked_at = BTreeMap::new();
    let of_usable = |(name, connection): (&str, &Connection)| {
        let backend = connection.backend().clone();
        let text = backend.to_string();
        let broken = looked_at.entry(backend).or_insert_with_key(|backend| without_plugin(backend, session));
        (name.to_owned(), Some(text), broken.clone())
    };
    let of_broken = |(name, error): (&str, Error)| (name.to_owned(), None, Some(error.message().to_owned()));
    let mut rows: Vec<_> =
        connections.iter().map(of_usable).chain(connections.broken().map(of_broken)).collect();
    rows.sort();
    let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
    for (name, backend, broken) in rows {
        let mut value = json!({"name": name, "backend": backend});
        let mut line = format!("{name:<width$}");
        line.extend(backend.map(|backend| format!("  {backend}")));
        if let Some(broken) = broken {
            line.push_str(&format!("  (broken: {broken})"));
            value["broken"] = broken.into();
        }
        output.either(&value, format_args!("{}", one_line(&line)))?;
    }
    Ok(())
}

/// Why nothing opens the connections of a backend, if it is known without running its plugin.
fn without_plugin(backend: &PluginName, session: &Session<'_>) -> Option<String> {
    let diagnosis = session.host().diagnose(Some(backend));
    if diagnosis.is_healthy() {
        return None;
    }
    let refusal = diagnosis.candidates.into_iter().find_map(|file| file.refusal).or(diagnosis.lock_refusal);
    Some(match refusal {
        Some(refusal) => format!("the plugin `{backend}` is not usable: {}", refusal.detail),
        None => format!("there is no plugin `{backend}`"),
    })
}

fn show(name: &str, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let connection = known(bare(name), session)?;
    let schema = match session.plugin_of(connection) {
        Ok(plugin) => plugin.schema()?,
        Err(error) => {
            // Without the plugin nobody knows which values are secret.
            output.warn(&error.hint("all values are hidden without the plugin"));
            Value::Null
        }
    };
    let shown = connection.redacted(&schema);
    output.either(&shown, format_args!("{shown:#}"))
}

fn check(name: &str, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let name = bare(name);
    known(name, session)?;
    let backend = session.backend(Some(name))?;
    let entries = count_entries(&backend)?;
    let conflicts = backend.as_sync().map(|sync| sync.conflict_report()).transpose()?.map(|all| all.len());
    let manifest = backend.plugin().manifest();
    let (own, all) = (backend.own_capabilities(), backend.capabilities());
    let value = json!({
        "name": name,
        "backend": manifest.name,
        "plugin": {"version": manifest.version, "path": backend.plugin().path()},
        "capabilities": own.names().collect::<Vec<_>>(),
        "entries": entries,
        "conflicts": conflicts,
    });
    let conflicts = match conflicts {
        None => String::new(),
        Some(count) => format!(", {}", plural(count, "open conflict", "open conflicts")),
    };
    output.either(
        &value,
        format_args!(
            "{name}: works\n  opened by {} {} ({})\n  the root can be listed: {}{conflicts}\n  can by itself: {}\n  the host stands in for: {}",
            manifest.name,
            manifest.version,
            backend.plugin().path().display(),
            plural(entries, "entry", "entries"),
            names(own),
            names(all.difference(own)),
        ),
    )
}

fn count_entries(backend: &Backend) -> Result<usize> {
    let mut count = 0;
    for entry in backend.list("/")? {
        entry?;
        count += 1;
    }
    Ok(count)
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn names(capabilities: Capabilities) -> String {
    let names: Vec<_> = capabilities.names().collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn add(args: &Add, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let name = bare(&args.name);
    let file = session.connections_file()?;
    let check_free = |connections: &Connections| match connections.contains(name) && !args.overwrite {
        true => Err(exists_already(name, &file)),
        false => Ok(()),
    };
    match session.connections() {
        Ok(connections) => check_free(connections)?, // before anything is asked
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error),
    }
    let connection = match session.given_connection()? {
        Some(connection) => connection,
        None => ask(args, session)?,
    };
    if args.no_check {
        // Without its plugin only what a URL carries is known to be secret.
        let schema = session.plugin_of(&connection).and_then(|plugin| plugin.schema()).unwrap_or_default();
        connection.check_exposure(&schema)?;
    } else {
        check_options(&connection, session)?;
    }
    let schema = session.plugin_of(&connection).and_then(|plugin| plugin.schema());
    Connections::edit(&file, |connections| {
        check_free(connections)?;
        match &schema {
            Ok(schema) => connections.insert_known(name, connection, schema),
            Err(_) => connections.insert(name, connection), // nobody knows what in it is secret
        }
    })?;
    output.summary(&json!({"name": name, "file": file}), format_args!("{name}: added to {}", file.display()))
}

fn exists_already(name: &str, file: &Path) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("there is a connection `{name}` already"))
        .at(file.display())
        .with("connection", name)
        .hint("choose another name, or replace it with --overwrite")
}

fn check_options(connection: &Connection, session: &Session<'_>) -> Result<()> {
    let checked = session.plugin_of(connection).and_then(|plugin| plugin.check(connection));
    checked.map_err(|error| {
        let unchecked = "--no-check adds it as it is";
        let hint = error.advice().map_or(unchecked.to_owned(), |advice| format!("{advice}; {unchecked}"));
        error.hint(hint)
    })
}

/// Asks for the backend, and for the keys that its plugin wants, as far as the arguments do not tell.
fn ask(args: &Add, session: &Session<'_>) -> Result<Connection> {
    let mut prompt = Prompt::new(session.cancel());
    let backend = match &args.backend {
        Some(backend) => backend.clone(),
        None => {
            let usable = session.host().plugins().into_iter().filter(|file| file.manifest.is_some());
            let names: Vec<_> = usable.map(|file| file.name).collect();
            prompt.ask(&format!("backend ({})", names.join(", ")))?
        }
    };
    let plugin = session.host().plugin(&backend.parse()?);
    let schema = match plugin {
        Err(_) if args.no_check => Value::Null, // nobody knows what it would want
        plugin => plugin?.schema()?,
    };
    let mut given = Map::new();
    for text in &args.options {
        let (key, value) = questions::parse_option(text, &schema, args.no_check)?;
        if given.contains_key(&key) {
            let message = format!("the key `{key}` is given twice");
            let error = Error::new(ErrorKind::InvalidConnection, message).with("key", key);
            return Err(error.hint("leave out one of the two"));
        }
        given.insert(key, value);
    }
    let mut options = questions::ask_options(&schema, given, &mut prompt)?;
    options.insert("backend".to_owned(), backend.into());
    Value::Object(options).try_into()
}

fn remove(name: &str, session: &Session<'_>) -> Result<()> {
    let name = bare(name);
    let present = session.connections()?; // a file that is missing is not to be made
    if !present.contains(name) {
        return known(name, session).map(drop);
    }
    Connections::edit(session.connections_file()?, |connections| {
        connections.remove(name);
        Ok(())
    })
}

/// Who asks about one does not want to add it: that is not proposed.
fn known<'a>(name: &str, session: &'a Session<'_>) -> Result<&'a Connection> {
    let connections = session.connections()?;
    connections.get(name).map_err(|error| {
        let names = connections.iter().map(|(name, _)| name);
        if connections.contains(name) || nearest(name, names).is_some() {
            return error;
        }
        error.hint("`f9 connections list` shows those that there are")
    })
}

/// A name may be written as it is in addresses, with its colon.
fn bare(name: &str) -> &str {
    name.strip_suffix(':').unwrap_or(name)
}
