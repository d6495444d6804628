//! The levers of events and of the state as a whole.

mod events;
mod savepoints;
