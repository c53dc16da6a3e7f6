module forge.example/signoff/signoff/clients/go

go 1.23
