use std::io::stdin;
use std::time::Duration;

use iceoryx2::prelude::*;

#[derive(Debug, Clone, Copy, ZeroCopySend)]
#[repr(C)]
struct Temperature {
    celsius: f64,
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let node = NodeBuilder::new().create::<ipc::Service>()?;
    let changed = node
        .service_builder(&"Thermometer/Changed".try_into()?)
        .publish_subscribe::<Temperature>()
        .open_or_create()?;
    let publisher = changed.publisher_builder().create()?;
    for line in stdin().lines() {
        let celsius: f64 = line?.trim().parse()?;
        publisher.send_copy(Temperature { celsius })?;
    }
    Ok(())
}

fn watch() -> Result<(), Box<dyn std::error::Error>> {
    let node = NodeBuilder::new().create::<ipc::Service>()?;
    let changed = node
        .service_builder(&"Thermometer/Changed".try_into()?)
        .publish_subscribe::<Temperature>()
        .open_or_create()?;
    let subscriber = changed.subscriber_builder().create()?;
    while node.wait(Duration::from_millis(10)).is_ok() {
        while let Some(sample) = subscriber.receive()? {
            println!("{} °C", sample.celsius);
        }
    }
    Ok(())
}
