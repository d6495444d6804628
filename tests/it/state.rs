//! The levers of events and of the state as a whole.

mod accounts;
mod contents;
mod events;
mod savepoints;
mod seed;
