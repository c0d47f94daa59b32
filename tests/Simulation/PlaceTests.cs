namespace Weir.Tests.Simulation; public class PlaceTests { [Fact] public void Stands() => Assert.True(true); }
