//! A thermometer: `thermometer serve|read|watch NAME`.

// ANCHOR: main
use std::io::stdin;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use shmipc::{Client, Context, Server};
use shmipc_guide::thermometer::{
    Thermometer, ThermometerClient, ThermometerEvent, ThermometerHandler,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", name] => serve(name),
        ["read", name] => read(name),
        ["watch", name] => watch(name),
        _ => Err("say serve, read or watch, and a name".into()),
    }
}
// ANCHOR_END: main

// ANCHOR: server
struct Sensor(Arc<Mutex<f64>>);

impl ThermometerHandler for Sensor {
    fn read(&mut self, _cx: &Context<Thermometer>) -> f64 {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is typed is the temperature.
fn serve(name: &str) -> Result<()> {
    let celsius = Arc::new(Mutex::new(20.0));
    let running = Server::<Thermometer>::bind(name)?.serve(Sensor(celsius.clone()))?;
    println!("serving");
    for line in stdin().lines() {
        let measured: f64 = line?.trim().parse()?;
        *celsius.lock().unwrap_or_else(PoisonError::into_inner) = measured;
        running.handle().broadcast(&ThermometerEvent::Changed { celsius: measured });
    }
    Ok(running.stop()?)
}
// ANCHOR_END: server

// ANCHOR: client
fn read(name: &str) -> Result<()> {
    let thermometer = Client::<Thermometer>::connect(name)?;
    println!("{} °C", thermometer.read()?);
    Ok(())
}

fn watch(name: &str) -> Result<()> {
    let (over, is_over) = mpsc::channel();
    let _link = Client::<Thermometer>::builder(name)
        .on_event(|ThermometerEvent::Changed { celsius }| println!("{celsius} °C"))
        .on_departure(move |_| {
            let _ = over.send(());
        })
        .connect()?;
    println!("watching");
    Ok(is_over.recv()?)
}
// ANCHOR_END: client
