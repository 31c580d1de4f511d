use f9_host::{Content, ErrorKind, FileBackend, Host, Result, serde_json::json};

fn main() -> Result<()> {
    let data = Host::new().open(json!({"backend": "local", "root": "data"}))?;

    data.create("example.txt", "hello world")?;
    println!("{}", json!(data.info("example.txt")?)); // path, kind, size, times
    data.append("example.txt", "\nnew line")?;
    let text = data.read_to_string("example.txt")?; // or read(), for bytes
    assert_eq!(text, "hello world\nnew line");

    data.create("copy.txt", Content::reader(&mut text.as_bytes()))?; // from anything that is `Read`
    match data.create("copy.txt", "again") {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => data.write("copy.txt", "again")?,
        other => other?,
    };

    data.create_dir("reports")?;
    for entry in data.list("/")? {
        println!("{}", entry?.path);
    }
    data.delete_recursive("reports")?;
    data.delete("example.txt")?;

    if let Some(remote) = data.as_sync() {
        remote.sync(Some("Add a copy"))?; // a local directory has no remote; git has
    }
    Ok(())
}
