module example

go 1.23

require forge.example/signoff/signoff/clients/go v0.1.0

// In a clone of the repository the client is taken from there. Elsewhere remove this line.
replace forge.example/signoff/signoff/clients/go => ../../../clients/go
