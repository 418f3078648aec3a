#include <QSharedMemory>
#include <QTextStream>
#include <QThread>

struct Reading {
    double celsius;
    quint64 number; // so that a reader sees that something changed
};

int serve()
{
    QSharedMemory memory("thermometer");
    if (!memory.create(sizeof(Reading)) && !memory.attach())
        return 1; // left by a server that was killed: attach, and hope that the size is right
    QTextStream input(stdin);
    quint64 number = 0;
    for (QString line = input.readLine(); !line.isNull(); line = input.readLine()) {
        memory.lock(); // waits for ever if a reader died between its lock and its unlock
        auto *reading = static_cast<Reading *>(memory.data());
        reading->celsius = line.toDouble();
        reading->number = ++number;
        memory.unlock();
    }
    return 0;
}

int watch()
{
    QSharedMemory memory("thermometer");
    if (!memory.attach(QSharedMemory::ReadOnly))
        return 1;
    quint64 seen = 0;
    for (;;) {
        memory.lock();
        Reading reading = *static_cast<const Reading *>(memory.constData());
        memory.unlock();
        if (reading.number != seen)
            QTextStream(stdout) << reading.celsius << " °C\n";
        seen = reading.number;
        QThread::msleep(10);
    }
}
