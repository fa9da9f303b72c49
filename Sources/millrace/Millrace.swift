import Service

@main
enum Millrace {
    static func main() { Service.main() }
}
