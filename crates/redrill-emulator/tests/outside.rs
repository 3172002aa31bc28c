//! Access to the emulator, and how long clients may hold on to it.

use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw::exchange;
use crate::clients::*;
use crate::served::served_by;

/// A page of the web reaches a loopback address by DNS rebinding, or by asking for it outright.
#[tokio::test]
async fn reliability_r6_26_no_page_of_the_web_is_served() {
    let emulator = listed().await;
    let port = emulator.addr().port();
    let ask = |line: &str, headers: &str| {
        format!("{line} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n")
    };
    for headers in [
        format!("Host: localhost:{port}\r\n"),
        "Host: 127.0.0.1\r\n".to_owned(),
        format!("Host: [::1]:{port}\r\n"),
        format!("Host: localhost\r\nOrigin: http://localhost:{port}\r\n"),
        "Host: localhost\r\nSec-Fetch-Site: none\r\n".to_owned(),
    ] {
        let text = ask("GET /restore-jobs", &headers);
        let answer = exchange(&emulator, text.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200, "{headers}");
    }
    for (line, headers, word) in [
        (
            "GET /restore-jobs",
            "Host: evil.example:80\r\n",
            "evil.example",
        ),
        (
            "PUT /restore-jobs",
            "Host: evil.example\r\nContent-Length: 2\r\n\r\n{}",
            "evil.example",
        ),
        (
            "GET http://evil.example/restore-jobs",
            "Host: localhost\r\n",
            "evil.example",
        ),
        ("GET /restore-jobs", "Host: 10.0.0.1\r\n", "10.0.0.1"),
        (
            "GET /restore-jobs",
            "Host: localhost\r\nOrigin: https://evil.example\r\n",
            "evil.example",
        ),
        (
            "OPTIONS /restore-jobs",
            "Host: localhost\r\nOrigin: null\r\n",
            "null",
        ),
        (
            "GET /restore-jobs",
            "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n",
            "site",
        ),
    ] {
        let text = ask(line, headers);
        let answer = exchange(&emulator, text.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 403, "{headers}");
        assert_eq!(
            answer.header("x-amzn-errortype"),
            Some("AccessDeniedException")
        );
        let body = answer.json();
        assert_eq!(body["Code"], "AccessDeniedException");
        assert!(body["Message"].as_str().unwrap().contains(word), "{body}");
    }
    let sts = ask("POST /", "Host: evil.example\r\nContent-Length: 0\r\n");
    let answer = exchange(&emulator, sts.as_bytes()).await.unwrap();
    assert!(
        answer.status == 403 && answer.body.starts_with("<ErrorResponse"),
        "{answer:?}"
    );
    assert!(emulator.jobs().is_empty());
    // An exposed emulator is asked by other names.
    let exposed = start(Options {
        exposed: true,
        ..standing()
    })
    .await;
    let text = ask("GET /restore-jobs", "Host: dr.example:45871\r\n");
    assert_eq!(
        exchange(&exposed, text.as_bytes()).await.unwrap().status,
        200
    );
}

/// A client keeps a connection for its next request: one that is closed meanwhile is a failure to it.
#[tokio::test]
async fn field_n5_a_connection_that_waits_for_its_next_request_is_kept() {
    let options = Options {
        patience: Duration::from_millis(40),
        ..standing()
    };
    let emulator = start(options).await;
    let mut kept = TcpStream::connect(emulator.addr()).await.unwrap();
    let ask = async |stream: &mut TcpStream| {
        let request = b"GET /restore-jobs HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        assert!(
            answer[..length].starts_with(b"HTTP/1.1 200"),
            "{length} bytes"
        );
    };
    ask(&mut kept).await;
    // Connections that do not end their heads go, one after the other: the first one's time is up several times over.
    for part in [&b""[..], b"GET /restore-jobs HTTP/1.1\r\nHost: loc", b"G"] {
        let mut half = TcpStream::connect(emulator.addr()).await.unwrap();
        half.write_all(part).await.unwrap();
        let mut rest = Vec::new();
        let _ = half.read_to_end(&mut rest).await;
        assert!(rest.is_empty(), "{rest:?}");
    }
    ask(&mut kept).await;
}

/// With as many files as systems give a process by default, and with more connections than the emulator wants.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reliability_r4_20_ten_thousand_unfinished_heads_hold_up_nobody() {
    for limit in ["1024", "16000"] {
        let mut command = Command::new("sh");
        let exe = env!("CARGO_BIN_EXE_redrill-emulator");
        let line = format!("ulimit -n {limit} 2>/dev/null; exec \"$0\" --speed max");
        command.args(["-c", &line, exe]).stderr(Stdio::null());
        let (_emulator, url) = served_by(command);
        let addr = url.strip_prefix("http://").unwrap().to_owned();
        let mut held = Vec::new();
        for _ in 0..10_000 {
            let connect = TcpStream::connect(&*addr);
            // The system may give this process too few: then as many as there are.
            let Ok(Ok(mut stream)) = tokio::time::timeout(Duration::from_secs(20), connect).await
            else {
                break;
            };
            let _ = stream
                .write_all(b"GET /restore-jobs HTTP/1.1\r\nHost: loc")
                .await;
            held.push(stream);
        }
        assert!(held.len() > 500, "{}", held.len());
        let client = sdk_at(&url, "us-east-1", "AKIDEXAMPLE", 1);
        let answered = tokio::time::timeout(Duration::from_secs(15), start_ec2(&client, "t1"));
        answered
            .await
            .unwrap_or_else(|_| panic!("held up, {limit} files"));
    }
}
