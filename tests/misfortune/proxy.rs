//! Between chaosrun and the real engine: refuses a call, or loses the connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

const ENGINE: &str = "/var/run/docker.sock";

pub(crate) struct Proxy {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Part of the path of a call that is refused, and with which words.
    refused: Option<(String, String)>,
    /// Nobody answers.
    down: bool,
    open: Vec<UnixStream>,
}

impl Proxy {
    pub(crate) fn start(folder: &Path) -> Self {
        let path = folder.join("proxy.sock");
        let state = Arc::new(Mutex::new(State::default()));
        let listener = UnixListener::bind(&path).unwrap();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                // One that is down hangs up at once, as a starting engine does.
                if !shared.lock().unwrap().down {
                    serve(client, &shared);
                }
            }
        });
        Self { path, state }
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    pub(crate) fn refuse(&self, call: &str, words: &str) {
        self.state.lock().unwrap().refused = Some((call.into(), words.into()));
    }

    /// Every connection breaks, and no new one is served.
    pub(crate) fn down(&self) {
        let mut state = self.state.lock().unwrap();
        state.down = true;
        for stream in state.open.drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    pub(crate) fn up(&self) {
        self.state.lock().unwrap().down = false;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.down();
    }
}

fn serve(client: UnixStream, state: &Arc<Mutex<State>>) {
    let Ok(engine) = UnixStream::connect(ENGINE) else {
        return;
    };
    let (from_client, to_client) = (client.try_clone().unwrap(), client);
    let (from_engine, to_engine) = (engine.try_clone().unwrap(), engine);
    let mut shared = state.lock().unwrap();
    shared.open.push(to_client.try_clone().unwrap());
    shared.open.push(to_engine.try_clone().unwrap());
    drop(shared);
    let state = Arc::clone(state);
    let answer = to_client.try_clone().unwrap();
    thread::spawn(move || {
        pump(from_client, to_engine, |chunk| {
            refuse(chunk, &state, &answer)
        });
    });
    thread::spawn(move || pump(from_engine, to_client, |_| false));
}

/// Passes on everything that is not `stopped`.
fn pump(mut from: UnixStream, mut to: UnixStream, stopped: impl Fn(&[u8]) -> bool) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut chunk) {
        if stopped(&chunk[..n]) {
            continue;
        }
        if to.write_all(&chunk[..n]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Write).ok();
}

/// Answers a call that is to be refused in the engine's place.
fn refuse(chunk: &[u8], state: &Mutex<State>, mut answer: &UnixStream) -> bool {
    let Some((call, words)) = state.lock().unwrap().refused.clone() else {
        return false;
    };
    let text = String::from_utf8_lossy(chunk);
    let line = text.lines().next().unwrap_or_default();
    if !line.starts_with("POST ") || !line.split(['?', ' ']).any(|part| part.ends_with(&call)) {
        return false;
    }
    let body = format!("{{\"message\":\"{words}\"}}");
    let head = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json";
    let length = body.len();
    write!(answer, "{head}\r\nContent-Length: {length}\r\n\r\n{body}").is_ok()
}

/// The engine at a TCP port of this machine, as another machine's is: `tcp://127.0.0.1:PORT`.
pub(crate) fn over_tcp() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("tcp://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(engine) = UnixStream::connect(ENGINE) else {
                return;
            };
            let (from, to) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
            thread::spawn(move || {
                forward(from, &to);
                to.shutdown(Shutdown::Write).ok();
            });
            thread::spawn(move || {
                forward(engine, &client);
                TcpStream::shutdown(&client, Shutdown::Write).ok();
            });
        }
    });
    host
}

/// To its end, whatever ends it.
fn forward(mut from: impl Read, mut to: impl Write) {
    std::io::copy(&mut from, &mut to).ok();
}
