//! A proxy between the store and the server that fails where a test wants it to.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

use std::sync::{Arc, Mutex};

use tmt::store::Options;
use tmt::store::options::{Host, Server};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

/// How a connection fails. The trigger is a message of the client that holds these bytes, such as
/// the key of a request; what is not a trigger passes.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It does not.
    None,
    /// Nothing of the message arrives; the connection breaks.
    CutBefore(Vec<u8>),
    /// The message arrives and is answered, but the answer is lost: the connection breaks.
    CutAfter(Vec<u8>),
    /// The message arrives, and no answer ever comes.
    BlackHole(Vec<u8>),
    /// So many bytes of the message arrive, then the connection breaks.
    CutRequest(Vec<u8>, usize),
    /// The message arrives, so many bytes of the answer come back, then the connection breaks.
    CutAnswer(Vec<u8>, usize),
}

/// A proxy on loopback; it ends with this value.
pub(crate) struct Proxy {
    fault: Arc<Mutex<Fault>>,
    task: JoinHandle<()>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Proxy {
    /// Opens a proxy to the server of these options, and returns options that lead through it.
    pub(crate) async fn open(mut options: Options) -> (Self, Options) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fault = Arc::new(Mutex::new(Fault::None));
        let server = options.servers.first().unwrap().clone();
        let task = tokio::spawn(listen(listener, server, Arc::clone(&fault)));
        let host = Host::Tcp { name: "127.0.0.1".to_owned(), address: None };
        options.servers = vec![Server { host, port }];
        (Self { fault, task }, options)
    }

    /// Sets how connections fail from now on.
    pub(crate) fn fail(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, server: Server, fault: Arc<Mutex<Fault>>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let upstream: Box<dyn Stream> = match &server.host {
            Host::Unix(folder) => {
                let path = folder.join(format!(".s.PGSQL.{}", server.port));
                Box::new(UnixStream::connect(path).await.unwrap())
            }
            Host::Tcp { name, .. } => {
                Box::new(TcpStream::connect((name.as_str(), server.port)).await.unwrap())
            }
        };
        tokio::spawn(carry(client, upstream, Arc::clone(&fault)));
    }
}

/// What becomes of one message of the client.
struct Verdict {
    /// How many of its bytes arrive.
    passes: usize,
    /// How many bytes may come back.
    allowance: usize,
    /// Whether the connection breaks now.
    breaks: bool,
}

impl Fault {
    fn verdict(&self, message: &[u8]) -> Verdict {
        let all = message.len();
        let holds = |key: &[u8]| message.windows(key.len()).any(|window| window == key);
        let verdict = |passes, allowance, breaks| Verdict { passes, allowance, breaks };
        match self {
            Self::CutBefore(key) if holds(key) => verdict(0, 0, true),
            Self::CutAfter(key) if holds(key) => verdict(all, 0, false),
            Self::CutRequest(key, bytes) if holds(key) => verdict(all.min(*bytes), 0, true),
            Self::BlackHole(key) if holds(key) => verdict(all, 0, false),
            Self::CutAnswer(key, bytes) if holds(key) => verdict(all, *bytes, false),
            Self::None
            | Self::CutBefore(_)
            | Self::CutAfter(_)
            | Self::BlackHole(_)
            | Self::CutRequest(..)
            | Self::CutAnswer(..) => verdict(all, usize::MAX, false),
        }
    }
}

/// Carries bytes both ways until one side ends or the fault strikes.
async fn carry(client: TcpStream, upstream: Box<dyn Stream>, fault: Arc<Mutex<Fault>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(upstream);
    // How many bytes may still go back to the client.
    let mut allowance = usize::MAX;
    let (mut request, mut answer) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            count = from_client.read(&mut request) => {
                let Ok(count @ 1..) = count else { return };
                let message = request.get(..count).unwrap();
                let verdict = fault.lock().unwrap().verdict(message);
                let arrives = message.get(..verdict.passes).unwrap();
                allowance = verdict.allowance;
                if to_server.write_all(arrives).await.is_err() || verdict.breaks {
                    return;
                }
            }
            count = from_server.read(&mut answer) => {
                let Ok(count @ 1..) = count else { return };
                let passes = count.min(allowance);
                let sent = to_client.write_all(answer.get(..passes).unwrap()).await;
                let now = fault.lock().unwrap().clone();
                let is_cut = matches!(now, Fault::CutAnswer(..) | Fault::CutAfter(_));
                if sent.is_err() || (is_cut && passes < count) {
                    return;
                }
                allowance = allowance.saturating_sub(passes);
            }
        }
    }
}
