// ANCHOR: server
use std::io::stdin;

use zbus::{blocking::connection, interface, object_server::SignalEmitter};

struct Thermometer {
    celsius: f64,
}

#[interface(name = "org.example.Thermometer")]
impl Thermometer {
    fn read(&self) -> f64 {
        self.celsius
    }

    #[zbus(signal)]
    async fn changed(emitter: &SignalEmitter<'_>, celsius: f64) -> zbus::Result<()>;
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let connection = connection::Builder::session()?
        .name("org.example.Thermometer")?
        .serve_at("/org/example/Thermometer", Thermometer { celsius: 20.0 })?
        .build()?;
    let server = connection.object_server();
    let thermometer = server.interface::<_, Thermometer>("/org/example/Thermometer")?;
    for line in stdin().lines() {
        let measured: f64 = line?.trim().parse()?;
        thermometer.get_mut().celsius = measured;
        let emitter = thermometer.signal_emitter();
        zbus::block_on(Thermometer::changed(emitter, measured))?;
    }
    Ok(())
}
// ANCHOR_END: server

// ANCHOR: client
#[zbus::proxy(
    interface = "org.example.Thermometer",
    default_service = "org.example.Thermometer",
    default_path = "/org/example/Thermometer"
)]
trait ThermometerClient {
    fn read(&self) -> zbus::Result<f64>;

    #[zbus(signal)]
    fn changed(&self, celsius: f64) -> zbus::Result<()>;
}

fn read() -> Result<(), Box<dyn std::error::Error>> {
    let connection = zbus::blocking::Connection::session()?;
    let thermometer = ThermometerClientProxyBlocking::new(&connection)?;
    println!("{} °C", thermometer.read()?);
    Ok(())
}

fn watch() -> Result<(), Box<dyn std::error::Error>> {
    let connection = zbus::blocking::Connection::session()?;
    let thermometer = ThermometerClientProxyBlocking::new(&connection)?;
    for signal in thermometer.receive_changed()? {
        println!("{} °C", signal.args()?.celsius);
    }
    Ok(())
}
// ANCHOR_END: client
