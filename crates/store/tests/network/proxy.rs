//! A network between the store and its database that does what it is told: it cuts connections at a certain byte, holds
//! messages back, or lets nobody through.

use crate::wire::{Direction, Messages, Protocol, Target};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A place in what goes one way, counted from the moment at which the proxy was told of it: so many whole messages, and
/// so many bytes of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// When to cut at a spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// As soon as everything before it has been passed on: before an answer can come.
    Reached,
    /// When the next byte comes, which is not passed on.
    Exceeded,
}

/// How to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Both sides see the other hang up.
    HangUp,
    /// Both sides are told that the connection never was.
    Reset,
    /// The client sees the server hang up at once. What it has sent arrives at the server after this time, and then
    /// that sees the client hang up.
    Late(Duration),
    /// Nothing goes through any more, and nobody is told, until all are hung up on.
    Freeze,
}

/// Whether new connections are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    /// They wait until it is opened.
    Waiting,
    /// They are hung up on.
    Refusing,
}

/// An order to cut. The next one counts from there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) direction: Direction,
    pub(crate) spot: Spot,
    pub(crate) when: When,
    pub(crate) how: How,
    /// What the door is from then on.
    pub(crate) door: Door,
}

/// What went through while the proxy had no orders left: the length of each message, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recording(Vec<(Direction, usize)>);

impl Recording {
    /// The lengths of the messages of one direction.
    pub(crate) fn lengths(&self, direction: Direction) -> Vec<usize> {
        self.0.iter().filter(|(way, _)| *way == direction).map(|(_, length)| *length).collect()
    }

    /// How many messages had come from the server when the client sent its last one.
    pub(crate) fn answered_before_last(&self) -> usize {
        let last = self.0.iter().rposition(|(way, _)| *way == Direction::ToServer).unwrap_or(0);
        self.0[..last].iter().filter(|(way, _)| *way == Direction::ToClient).count()
    }
}

/// What became of the orders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// How many cuts were made.
    pub(crate) cuts: usize,
    /// How many messages the client had sent up to the first cut, whole or in part and passed on or not, since it was
    /// ordered.
    pub(crate) sent: usize,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: JoinHandle<()>,
}

struct Shared {
    target: Target,
    state: Mutex<State>,
    door: watch::Sender<Door>,
    /// How many cuts were made since the start.
    made: watch::Sender<usize>,
    /// Its value changes when all connections are to be hung up on.
    alarm: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    orders: VecDeque<Cut>,
    /// What has passed since the latest cut or order, by direction.
    passed: [Spot; 2],
    sent_before_first: Option<usize>,
    cuts: usize,
    recording: Recording,
}

impl Spot {
    const START: Self = Self { messages: 0, bytes: 0 };

    fn advance(&mut self, bytes: usize, has_ended: bool) {
        self.bytes += bytes;
        if has_ended {
            *self = Self { messages: self.messages + 1, bytes: 0 };
        }
    }
}

impl Default for Spot {
    fn default() -> Self {
        Self::START
    }
}

impl Proxy {
    /// A proxy before the database of this URL.
    pub(crate) async fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: Target::of(url),
            state: Mutex::default(),
            door: watch::Sender::new(Door::Open),
            made: watch::Sender::new(0),
            alarm: watch::Sender::new(0),
        });
        let connections = Arc::clone(&shared);
        let acceptor = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(Arc::clone(&connections).carry(client));
            }
        });
        Self { address, shared, acceptor }
    }

    /// The URL by which the database is reached through the proxy.
    pub(crate) fn url(&self) -> String {
        self.shared.target.by_way_of(self.address)
    }

    /// The language that goes through it.
    pub(crate) fn protocol(&self) -> Protocol {
        self.shared.target.protocol
    }

    /// Gives orders, and begins to count.
    pub(crate) fn order(&self, orders: impl IntoIterator<Item = Cut>) {
        *self.shared.state.lock().unwrap() =
            State { orders: orders.into_iter().collect(), ..State::default() };
    }

    /// What became of the orders; those that are left are withdrawn.
    pub(crate) fn outcome(&self) -> Outcome {
        let mut state = self.shared.state.lock().unwrap();
        state.orders.clear();
        let passed = state.passed[Direction::ToServer as usize].messages;
        Outcome { cuts: state.cuts, sent: state.sent_before_first.unwrap_or(passed) }
    }

    /// What has gone through since the latest order, or if it had any, since the last cut.
    pub(crate) fn recording(&self) -> Recording {
        self.shared.state.lock().unwrap().recording.clone()
    }

    /// Waits for the next cut, and those before it since `made` was asked for.
    pub(crate) fn next_cut(&self) -> impl Future<Output = ()> + use<> {
        let mut made = self.shared.made.subscribe();
        let before = *made.borrow_and_update();
        async move {
            made.wait_for(|made| *made > before).await.unwrap();
        }
    }

    /// Lets new connections through or not.
    pub(crate) fn set_door(&self, door: Door) {
        self.shared.door.send_replace(door);
    }

    /// Hangs up on all who are connected.
    pub(crate) fn hang_up(&self) {
        self.shared.alarm.send_modify(|count| *count += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.hang_up();
    }
}

impl Shared {
    /// Carries one connection until it ends.
    async fn carry(self: Arc<Self>, mut client: TcpStream) {
        let mut alarm = self.alarm.subscribe();
        if !self.let_in().await {
            return;
        }
        let Target { protocol, ref host, port, .. } = self.target;
        let Ok(mut server) = TcpStream::connect((host.as_str(), port)).await else { return };
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let mut messages = [Direction::ToServer, Direction::ToClient].map(|way| Messages::new(protocol, way));
        let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            let (direction, bytes) = tokio::select! {
                read = client.read(&mut request) => (Direction::ToServer, &request[..read.unwrap_or(0)]),
                read = server.read(&mut answer) => (Direction::ToClient, &answer[..read.unwrap_or(0)]),
                _ = alarm.changed() => return,
            };
            if bytes.is_empty() {
                return;
            }
            let (passed, cut) = self.judge(direction, bytes, &mut messages[direction as usize]);
            let onward = match direction {
                Direction::ToServer => &mut server,
                Direction::ToClient => &mut client,
            };
            if onward.write_all(&bytes[..passed]).await.is_err() && cut.is_none() {
                return;
            }
            if let Some(cut) = cut {
                let withheld = if direction == Direction::ToServer { &bytes[passed..] } else { &[] };
                return self.make(cut, client, server, withheld, alarm).await;
            }
        }
    }

    /// Waits until the door is open. False when it refuses.
    async fn let_in(&self) -> bool {
        let mut door = self.door.subscribe();
        let door = *door.wait_for(|door| *door != Door::Waiting).await.unwrap();
        door == Door::Open
    }

    /// How many of the bytes may pass, and what is to be done then.
    fn judge(&self, direction: Direction, bytes: &[u8], messages: &mut Messages) -> (usize, Option<Cut>) {
        let mut state = self.state.lock().unwrap();
        let way = direction as usize;
        let mut passed = 0;
        loop {
            let here = state.passed[way];
            let order = state.orders.front().copied().filter(|order| order.direction == direction);
            let is_due = |order: &Cut| match order.when {
                When::Reached => here >= order.spot,
                When::Exceeded => here >= order.spot && passed < bytes.len(),
            };
            if let Some(cut) = order.filter(is_due) {
                let sent = state.passed[Direction::ToServer as usize];
                let is_sending = direction == Direction::ToServer && passed < bytes.len() || sent.bytes > 0;
                state.sent_before_first.get_or_insert(sent.messages + usize::from(is_sending));
                state.orders.pop_front();
                state.cuts += 1;
                state.passed = Default::default();
                state.recording = Recording::default();
                self.door.send_replace(cut.door);
                return (passed, Some(cut));
            }
            if passed == bytes.len() {
                return (passed, None);
            }
            // No further than the spot, if that is in this message.
            let wanted = order.filter(|order| order.spot.messages == here.messages);
            let end = wanted.map_or(bytes.len(), |order| passed + order.spot.bytes - here.bytes);
            let (taken, has_ended) = messages.piece(&bytes[passed..end.min(bytes.len())]);
            state.passed[way].advance(taken, has_ended);
            if has_ended {
                state.recording.0.push((direction, here.bytes + taken));
            }
            passed += taken;
        }
    }

    async fn make(
        &self,
        cut: Cut,
        client: TcpStream,
        mut server: TcpStream,
        withheld: &[u8],
        mut alarm: watch::Receiver<usize>,
    ) {
        match cut.how {
            How::HangUp => drop((client, server)),
            How::Reset => {
                // Whoever has hung up already is not reset.
                let _ = client.set_zero_linger();
                let _ = server.set_zero_linger();
                drop((client, server));
            }
            How::Late(after) => {
                drop(client);
                self.made.send_modify(|made| *made += 1);
                tokio::time::sleep(after).await;
                // The server may have hung up meanwhile.
                let _ = server.write_all(withheld).await;
                let _ = server.shutdown().await;
                // Until it hangs up, too: otherwise it might be reset before it has read everything.
                while server.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
                return;
            }
            How::Freeze => {
                self.made.send_modify(|made| *made += 1);
                // An error means that the proxy is gone.
                let _ = alarm.changed().await;
                return;
            }
        }
        self.made.send_modify(|made| *made += 1);
    }
}
