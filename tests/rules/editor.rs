//! A real YAML language server with `schemas/plan.schema.json`: what one sees while typing a plan.
//!
//! It comes from npm, pinned, into the target directory. Where npm is missing the test says loudly that it was
//! skipped; with `CI=true` that is a failure.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::root;

const PACKAGE: &str = "yaml-language-server@1.25.0";
const PROGRAM: &str = "yaml-language-server/bin/yaml-language-server";

/// The language server protocol over the server's standard input and output.
struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: u64,
    diagnostics: Vec<Value>,
}

impl Server {
    fn start(program: &Path) -> Self {
        let mut child = Command::new("node")
            .arg(program)
            .arg("--stdio")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self {
            child,
            input,
            output,
            next: 0,
            diagnostics: Vec::new(),
        };
        let capabilities = json!({ "textDocument": {
            "completion": { "completionItem": { "snippetSupport": true } },
            "hover": { "contentFormat": ["markdown"] },
            "publishDiagnostics": {},
        } });
        server.ask(
            "initialize",
            json!({ "processId": null, "rootUri": null, "capabilities": capabilities }),
        );
        server.tell("initialized", json!({}));
        // No schema store: nothing but the machine itself is asked.
        let settings = json!({ "yaml": {
            "validate": true, "hover": true, "completion": true, "schemaStore": { "enable": false },
        } });
        server.tell(
            "workspace/didChangeConfiguration",
            json!({ "settings": settings }),
        );
        server
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let message = self.receive();
            if message["id"] == id && message.get("method").is_none() {
                return message["result"].clone();
            }
        }
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(
                self.output.read_line(&mut line).unwrap() > 0,
                "the server has ended"
            );
            if let Some(text) = line.strip_prefix("Content-Length: ") {
                length = text.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).unwrap();
        let message: Value = serde_json::from_slice(&body).unwrap();
        // What the server asks of an editor has an answer that changes nothing.
        if let (Some(id), Some(_)) = (message.get("id"), message.get("method")) {
            let answer = match message["method"].as_str() {
                Some("workspace/configuration") => json!([null, null, null, null, null]),
                _ => Value::Null,
            };
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": answer }));
        }
        if message["method"] == "textDocument/publishDiagnostics" {
            self.diagnostics.push(message["params"].clone());
        }
        message
    }

    /// Opens a text and waits for what the server has to say against it.
    fn open(&mut self, name: &str, text: &str) -> (String, Vec<Value>) {
        let uri = format!("file:///{name}");
        self.tell(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": uri, "languageId": "yaml", "version": 1, "text": text } }),
        );
        loop {
            if let Some(of) = self.diagnostics.iter().find(|of| of["uri"] == uri.as_str()) {
                let found = of["diagnostics"].as_array().unwrap().clone();
                return (uri, found);
            }
            self.receive();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A plan whose schema is the generated one; `metadata` stands at six blanks.
fn plan(resource_type: &str, metadata: &str) -> String {
    format!(
        "# yaml-language-server: $schema=file://{}
plan: it
target: {{ region: us-west-2, account: \"123456789012\" }}
restores:
  it:
    type: {resource_type}
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7
    metadata:
{metadata}",
        root().join("schemas/plan.schema.json").display()
    )
}

fn at(uri: &str, line: usize, character: usize) -> Value {
    json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character } })
}

fn labels(completion: &Value) -> Vec<String> {
    let items = completion.get("items").unwrap_or(completion);
    items
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| item["label"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn an_editor_completes_hovers_and_underlines() {
    let program = match crate::npm::installed(PACKAGE, PROGRAM) {
        Ok(program) => program,
        Err(why) => {
            return crate::npm::skip("no YAML language server, so no editor was tried", &why);
        }
    };
    let mut server = Server::start(&program);

    let (uri, found) = server.open(
        "right.yaml",
        &plan("EFS", "      PerformanceMode: generalPurpose\n"),
    );
    assert!(found.is_empty(), "{found:#?}");
    let hover = server.ask("textDocument/hover", at(&uri, 8, 10));
    let text = hover["contents"]["value"].as_str().unwrap_or_default();
    assert!(
        text.contains("The performance mode of the new file system"),
        "{hover}"
    );
    assert!(text.contains("restoring-efs.html"), "{hover}");

    // Keys by type.
    for (resource_type, key, other) in [
        ("EFS", "CreationToken", "targetTableName"),
        ("DynamoDB", "targetTableName", "CreationToken"),
        (
            "SAP HANA on Amazon EC2",
            "CatalogRestoreOption",
            "CreationToken",
        ),
    ] {
        let name = format!("keys-{}.yaml", resource_type.replace(' ', "-"));
        let (uri, _) = server.open(&name, &plan(resource_type, "      \n"));
        let labels = labels(&server.ask("textDocument/completion", at(&uri, 8, 6)));
        assert!(
            labels.iter().any(|l| l == key),
            "{resource_type}: {labels:?}"
        );
        assert!(
            !labels.iter().any(|l| l == other),
            "{resource_type}: {labels:?}"
        );
    }

    // Values of a key, and types.
    let (uri, _) = server.open("values.yaml", &plan("EFS", "      PerformanceMode: \n"));
    let values = labels(&server.ask("textDocument/completion", at(&uri, 8, 23)));
    assert!(values.iter().any(|l| l == "maxIO"), "{values:?}");
    let types = labels(&server.ask("textDocument/completion", at(&uri, 5, 10)));
    assert!(types.iter().any(|l| l.contains("Timestream")), "{types:?}");

    // Wrong values are underlined, templates and AWS's strings are not.
    let wrong = "      PerformanceMode: fast\n      newFileSystem: perhaps\n      ThroughputMode: bursting\n";
    let (_, found) = server.open("wrong.yaml", &plan("EFS", wrong));
    let mut lines: Vec<u64> = found
        .iter()
        .filter_map(|d| d["range"]["start"]["line"].as_u64())
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, [8, 9, 10], "{found:#?}");
    let fine = "      PerformanceMode: \"{{ vars.mode }}\"\n      newFileSystem: \"true\"\n      ItemsToRestore: '[\"/srv\"]'\n";
    let (_, found) = server.open("fine.yaml", &plan("EFS", fine));
    assert!(found.is_empty(), "{found:#?}");
}
