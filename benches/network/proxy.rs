//! The same through a proxy that delays: `noxious-server`, where it is installed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use comfy_table::Table;

use crate::GIGABIT;
use crate::load::carried;
use crate::world::{A, B, World, inside, ip};

const CONTROL: u16 = 8474;
const LISTENS: u16 = 7201;
const UPSTREAM: u16 = 7202;

struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

pub(crate) fn streams(world: &World, table: &mut Table) {
    let started = inside(&world.a, || {
        Command::new("noxious-server")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    });
    let Ok(child) = started else {
        table.add_row([
            "noxious-server: is not installed",
            "-",
            "a fifth of the above",
        ]);
        return;
    };
    let _proxy = Proxy(child);
    let proxy = format!(
        r#"{{"name":"p","listen":"{A}:{LISTENS}","upstream":"{B}:{UPSTREAM}","enabled":true}}"#
    );
    tell(world, "/proxies", &proxy);
    for way in ["upstream", "downstream"] {
        let toxic = format!(
            r#"{{"name":"{way}","type":"latency","stream":"{way}","toxicity":1.0,"attributes":{{"latency":20,"jitter":0}}}}"#
        );
        tell(world, "/proxies/p/toxics", &toxic);
    }
    for (is_out, way) in [(true, "out"), (false, "in")] {
        let listener = inside(&world.b, || {
            TcpListener::bind(SocketAddr::new(ip(B), UPSTREAM)).unwrap()
        });
        let ours = inside(&world.a, || {
            TcpStream::connect(SocketAddr::new(ip(A), LISTENS)).unwrap()
        });
        let (theirs, _) = listener.accept().unwrap();
        let (from, to) = if is_out {
            (ours, theirs)
        } else {
            (theirs, ours)
        };
        let speed = carried(from, to, Duration::from_secs(5));
        table.add_row([
            format!("noxious-server: one TCP stream {way}, 20 ms each way"),
            format!("{:.2} Gbit/s", speed / GIGABIT),
            "a fifth of the above".into(),
        ]);
    }
}

fn tell(world: &World, path: &str, body: &str) {
    let to = SocketAddr::new(ip("127.0.0.1"), CONTROL);
    let begun = Instant::now();
    let mut stream = loop {
        match inside(&world.a, || TcpStream::connect(to)) {
            Ok(stream) => break stream,
            Err(e) => assert!(begun.elapsed() < Duration::from_secs(5), "{e}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
}
