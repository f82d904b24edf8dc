//! A chat in the browser, with as many rooms as people ask for:
//! `cargo run --release --example chat -- --listen 127.0.0.1:8080 --runtime tokio`, then open
//! <http://127.0.0.1:8080/?room=lobby&name=Ann> twice.
//!
//! | from the browser | to the browser |
//! |---|---|
//! | a text message: what was said, at most 4,096 bytes | `{"type":"message","name":"Ann","text":"Hello"}` |
//! | | `{"type":"joined","name":"Ann","here":2}`, and `left` |
//!
//! Nobody waits for anybody. What a member has not read yet lies in the send buffer of its socket; if
//! that is full, the member is dropped with code 1013 ("try again later"): it may come back once it is
//! faster. So a room needs at most [`UNREAD`] bytes and one message for each member.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sinew_tokio::websocket::CloseCode;
use sinew_tokio::{
    Handle, Html, IntoResponse, Message, Query, Response, Router, State, StatusCode, WebSocketError,
    WebSocketSender, WebSocketUpgrade, get,
};

/// Characters of a name, and of the name of a room.
const MAX_NAME: usize = 32;

/// Bytes of a message. A longer one ends the connection with code 1009.
const MAX_TEXT: u64 = 4096;

/// Bytes that a member may be behind: sixty of the longest messages.
const UNREAD: usize = 256 * 1024;

/// Between two messages of one member, so that one alone cannot fill the buffers of all others at once.
const PAUSE: Duration = Duration::from_millis(25);

fn main() -> std::io::Result<()> {
    let page = get(|| async { Html(include_str!("chat/index.html")) });
    sinew_examples::run(Router::new().route("/", page).route("/ws", get(join)).with_state(Chat::default()))
}

/// Who comes, and where to: `?room=lobby&name=Ann`.
#[derive(Deserialize)]
struct Who {
    #[serde(default)]
    room: String,
    #[serde(default)]
    name: String,
}

async fn join(
    State(chat): State<Chat>,
    Query(who): Query<Who>,
    handle: Handle,
    ws: WebSocketUpgrade,
) -> Response {
    let (Some(room), Some(name)) = (checked(&who.room, "lobby"), checked(&who.name, "guest")) else {
        return (StatusCode::BAD_REQUEST, "a name has at most 32 characters, on one line\n").into_response();
    };
    ws.max_message_bytes(MAX_TEXT).send_buffer(UNREAD).on_upgrade(move |socket| async move {
        let (sender, mut receiver) = socket.split();
        let seat = chat.join(room, &name, sender.clone());
        while let Ok(Some(message)) = receiver.recv().await {
            match message.as_text() {
                Some(text) => seat.say(text),
                // An error means that the connection is closing already.
                None => _ = sender.close(CloseCode::UNSUPPORTED, "text only"),
            }
            handle.sleep(PAUSE).await;
        }
    })
}

/// A name without blanks around it, or `default` if nothing is left.
fn checked(name: &str, default: &str) -> Option<String> {
    let name = name.trim();
    let valid = name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control);
    valid.then(|| if name.is_empty() { default } else { name }.to_owned())
}

/// What browsers get, as JSON. `here` is how many are in the room now.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'a> {
    Message { name: &'a str, text: &'a str },
    Joined { name: &'a str, here: usize },
    Left { name: &'a str, here: usize },
}

/// All rooms that have members.
#[derive(Clone, Default)]
struct Chat(Arc<Mutex<HashMap<String, Room>>>);

/// The members, in the order in which they came.
#[derive(Default)]
struct Room(BTreeMap<u64, Member>);

struct Member {
    name: String,
    socket: WebSocketSender,
}

impl Chat {
    fn rooms(&self) -> MutexGuard<'_, HashMap<String, Room>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, room: String, name: &str, socket: WebSocketSender) -> Seat {
        // Never used again: a room may end and begin anew while somebody is still about to leave it.
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let mut rooms = self.rooms();
        let members = rooms.entry(room.clone()).or_default();
        members.0.insert(id, Member { name: name.to_owned(), socket });
        members.tell(&Line::Joined { name, here: members.0.len() });
        Seat { chat: self.clone(), room, id }
    }
}

/// A place in a room, for as long as the handler runs.
struct Seat {
    chat: Chat,
    room: String,
    id: u64,
}

impl Seat {
    fn say(&self, text: &str) {
        let mut rooms = self.chat.rooms();
        let Some(room) = rooms.get_mut(&self.room) else { return };
        // Who was dropped is not heard any more.
        if let Some(name) = room.0.get(&self.id).map(|member| member.name.clone()) {
            room.tell(&Line::Message { name: &name, text });
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rooms = self.chat.rooms();
        let Some(room) = rooms.get_mut(&self.room) else { return };
        if let Some(member) = room.0.remove(&self.id) {
            room.tell(&Line::Left { name: &member.name, here: room.0.len() });
        }
        if room.0.is_empty() {
            rooms.remove(&self.room);
        }
    }
}

impl Room {
    /// Tells everybody, and then who could not be told any more.
    fn tell(&mut self, line: &Line<'_>) {
        let mut gone = self.deliver(line);
        while let Some(name) = gone.pop() {
            gone.extend(self.deliver(&Line::Left { name: &name, here: self.0.len() }));
        }
    }

    /// The names of those who do not get it, and are members no longer.
    fn deliver(&mut self, line: &Line<'_>) -> Vec<String> {
        let message = Message::from(serde_json::to_string(line).expect("text and numbers"));
        let mut gone = Vec::new();
        self.0.retain(|_, member| {
            // The clones share one text.
            let told = member.try_send(message.clone());
            if !told {
                gone.push(mem::take(&mut member.name));
            }
            told
        });
        gone
    }
}

impl Member {
    /// Sends if there is room. Otherwise the member is dropped.
    fn try_send(&self, message: Message) -> bool {
        match self.socket.try_send(message) {
            Ok(()) => true,
            Err(error) => {
                if error == WebSocketError::Full {
                    _ = self.socket.close(CloseCode::TRY_AGAIN_LATER, "too far behind");
                }
                false
            }
        }
    }
}
