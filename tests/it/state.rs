//! The levers of events and of the state as a whole.

mod accounts;
mod carried;
mod contents;
mod events;
mod savepoints;
mod scopes;
mod seed;
mod sockets;
